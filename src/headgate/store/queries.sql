-- Every statement that the store runs, under its name. One file per database; the names are the same in both.

-- name: house_value
SELECT value FROM house WHERE name = :name

-- name: set_house_value
INSERT INTO house (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: last_epoch
SELECT coalesce(max(epoch), 0) FROM epoch WHERE node = :node

-- name: add_epoch
INSERT INTO epoch (node, epoch, started_us) VALUES (:node, :epoch, :started_us)

-- name: last_leaf
SELECT seq, bytes FROM leaf ORDER BY seq DESC LIMIT 1

-- name: leaves
SELECT seq, bytes FROM leaf ORDER BY seq

-- name: add_leaf
INSERT INTO leaf (seq, bytes) VALUES (?, ?)

-- name: add_private
INSERT INTO private (leaf, field, salt, value) VALUES (?, ?, ?, ?)

-- name: budget
SELECT id, rule, scope, measure, starts_us, ends_us, cap, target, posted, held, suspect, overrun FROM budget WHERE id = ?

-- name: budget_at
SELECT id, rule, scope, measure, starts_us, ends_us, cap, target, posted, held, suspect, overrun
FROM budget WHERE rule = ? AND scope = ? AND starts_us = ?

-- name: latest_period
SELECT coalesce(max(starts_us), 0) FROM budget WHERE rule = ? AND scope = ?

-- name: budgets_now
SELECT id, rule, scope, measure, starts_us, ends_us, cap, target, posted, held, suspect, overrun
FROM budget WHERE ends_us > :now ORDER BY rule, scope

-- name: budgets_all
SELECT id, rule, scope, measure, starts_us, ends_us, cap, target, posted, held, suspect, overrun FROM budget ORDER BY id

-- name: add_budget
INSERT INTO budget (id, rule, scope, measure, starts_us, ends_us, cap) VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: next_budget
SELECT coalesce(max(id), 0) + 1 FROM budget

-- name: set_budget
UPDATE budget SET cap = ?, target = ?, posted = ?, held = ?, suspect = ?, overrun = ? WHERE id = ?

-- name: add_hold
INSERT INTO hold (id, request, workspace, key, path, model, route, shape, tariff, wanted, output, nano, tokens, epoch, opened_us, facts)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: add_leg
INSERT INTO leg (hold, budget, amount) VALUES (?, ?, ?)

-- name: open_hold
INSERT INTO open_hold (hold, state, epoch, since_us) VALUES (?, 'HELD', ?, ?)

-- name: doubt_hold
UPDATE open_hold SET state = 'SUSPECT', since_us = ?, ending = ?, response_id = ?, stored = ? WHERE hold = ?

-- name: close_hold
DELETE FROM open_hold WHERE hold = ?

-- name: add_ending
INSERT INTO ending (hold, state, ending, how, nano, tokens, breach, overrun, status, input_tokens, cached_tokens, written_tokens,
                    written_12h, output_tokens, reasoning_tokens, web_searches, model, tier, response_id, ended_us)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: add_entry
INSERT INTO entry (hold, budget, kind, amount, at_us) VALUES (?, ?, ?, ?, ?)

-- name: hold
SELECT id, request, workspace, key, path, model, route, shape, tariff, wanted, output, nano, tokens, epoch, opened_us, facts
FROM hold WHERE id = ?

-- name: hold_state
SELECT state FROM open_hold WHERE hold = ?

-- name: hold_legs
SELECT budget, amount FROM leg WHERE hold = ? ORDER BY budget

-- name: ending_of
SELECT state, ending, how, nano, tokens FROM ending WHERE hold = ?

-- name: entries_of
SELECT budget, kind, amount FROM entry WHERE hold = ? ORDER BY budget, kind

-- name: open_of_older_epochs
SELECT hold FROM open_hold WHERE state = 'HELD' AND epoch < ? ORDER BY hold

-- name: suspects
SELECT o.hold, o.since_us, o.ending, o.response_id, o.stored, h.workspace, h.path, h.model, h.nano, h.tokens, h.tariff, h.route
FROM open_hold o JOIN hold h ON h.id = o.hold WHERE o.state = 'SUSPECT' ORDER BY o.hold

-- name: count_open
SELECT state, count(*) FROM open_hold GROUP BY state

-- name: open_sums
SELECT l.budget, sum(l.amount), sum(CASE o.state WHEN 'SUSPECT' THEN l.amount ELSE 0 END)
FROM open_hold o JOIN leg l ON l.hold = o.hold GROUP BY l.budget

-- name: entry_sums
SELECT budget,
       sum(CASE kind WHEN 'POST' THEN amount WHEN 'REFUND' THEN -amount WHEN 'ADJUST' THEN amount ELSE 0 END),
       sum(CASE kind WHEN 'OVERRUN' THEN amount ELSE 0 END)
FROM entry GROUP BY budget

-- name: holds_without_one_ending
SELECT h.id, (o.hold IS NOT NULL) + (e.hold IS NOT NULL)
FROM hold h LEFT JOIN open_hold o ON o.hold = h.id LEFT JOIN ending e ON e.hold = h.id
WHERE (o.hold IS NOT NULL) + (e.hold IS NOT NULL) <> 1

-- name: holds_in_order
SELECT h.id, h.nano, h.tokens, o.state, e.state, coalesce(e.nano, 0), coalesce(e.tokens, 0)
FROM hold h LEFT JOIN open_hold o ON o.hold = h.id LEFT JOIN ending e ON e.hold = h.id ORDER BY h.id

-- name: legs_in_order
SELECT hold, budget, amount FROM leg ORDER BY hold, budget

-- name: entries_in_order
SELECT hold, budget, kind, amount FROM entry ORDER BY hold, budget, kind

-- name: private_of
SELECT salt, value FROM private WHERE leaf = ? AND field = ?

-- name: strays
SELECT 'leg', hold FROM leg WHERE hold NOT IN (SELECT id FROM hold)
UNION ALL SELECT 'entry', hold FROM entry WHERE kind <> 'ADJUST' AND hold NOT IN (SELECT hold FROM ending)
UNION ALL SELECT 'open_hold', hold FROM open_hold WHERE hold NOT IN (SELECT id FROM hold)
UNION ALL SELECT 'ending', hold FROM ending WHERE hold NOT IN (SELECT id FROM hold)
LIMIT 20

-- name: totals
SELECT coalesce(sum(nano), 0), count(*) FROM ending WHERE state = 'POSTED'

-- name: add_tariff
INSERT INTO tariff (sheet, agreement, model, body, imported_us) VALUES (?, ?, ?, ?, ?) ON CONFLICT (agreement, body) DO NOTHING

-- name: tariffs
SELECT id, agreement, body, sheet, imported_us FROM tariff ORDER BY id

-- name: priced_models
SELECT DISTINCT model FROM tariff

-- name: add_key
INSERT INTO api_key (id, digest, shown, label, workspace, body, issued_us, expires_us, issued_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: keys
SELECT id, digest, shown, label, workspace, body, issued_us, expires_us, revoked_us, rotated_to, issued_by FROM api_key ORDER BY issued_us, id

-- name: key
SELECT id, digest, shown, label, workspace, body, issued_us, expires_us, revoked_us, rotated_to, issued_by FROM api_key WHERE id = ?

-- name: revoke_key
UPDATE api_key SET revoked_us = ? WHERE id = ? AND revoked_us IS NULL

-- name: shorten_key
UPDATE api_key SET expires_us = min(expires_us, ?), rotated_to = ? WHERE id = ?

-- name: add_override
INSERT INTO cap_override (rule, scope, cap, actor, reason, set_us, expires_us) VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: overrides_now
SELECT rule, scope, cap, actor, reason, set_us, expires_us
FROM cap_override WHERE expires_us > ? AND id IN (SELECT max(id) FROM cap_override GROUP BY rule, scope) ORDER BY id

-- name: add_freeze
INSERT INTO freeze (what, reason, since_us) VALUES (?, ?, ?) ON CONFLICT (what) DO NOTHING

-- name: freezes
SELECT what, reason, since_us FROM freeze ORDER BY what

-- name: thaw
DELETE FROM freeze WHERE what = ?

-- name: add_object
INSERT INTO object (id, kind, workspace, path, hold, context, at_us) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING

-- name: object
SELECT kind, workspace, path, hold, context FROM object WHERE id = ?

-- name: remove_object
DELETE FROM object WHERE id = ?

-- name: greatest_hold
SELECT coalesce(max(id), 0) FROM hold
