"""Going through the tables of the file: known settings are read, unknown ones refused with the name that was probably meant."""

from __future__ import annotations

from typing import TypeVar, cast

from headgate.config.kinds import NAME, closest, describe
from headgate.config.lines import Place
from headgate.config.problem import Caution, Problem, Unfit
from headgate.config.table import SECTIONS, Section, Setting

T = TypeVar("T")


class Values:
    """What one table said, defaults filled in. `place` is where the table stands."""

    def __init__(self, place: Place, found: dict[str, object]) -> None:
        self.place = place
        self._found = found

    def __getitem__(self, setting: Setting[T]) -> T:
        return cast(T, self._found[setting.key])


class Reading:
    """One pass over one file; it collects everything that is wrong instead of stopping at the first."""

    def __init__(self, file: str, lines: dict[Place, int]) -> None:
        self.file = file
        self.lines = lines
        self.problems: list[Problem] = []
        self.cautions: list[Caution] = []

    def line(self, place: Place) -> int:
        """The line of a place, or of the nearest thing around it that stands in the file."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def problem(self, place: Place, expected: str, found: str, example: str) -> None:
        self.problems.append(Problem(self.file, self.line(place), show(place), expected, found, example))

    def caution(self, place: Place, text: str) -> None:
        self.cautions.append(Caution(self.file, self.line(place), show(place), text))

    def refuse(self, values: Values, setting: Setting[object], unfit: Unfit) -> None:
        """The setting's value turned out not to fit once more was known."""
        self._unfit((*values.place, *setting.key.split(".")), setting, unfit)

    def table(self, table: object, place: Place, section: Section) -> Values | None:
        """The values of one table; None when any of them is wrong."""
        before = len(self.problems)
        found: dict[str, object] = {}
        known = {setting.key: setting for setting in section.settings}
        if isinstance(table, dict):
            self._walk(cast("dict[str, object]", table), place, "", known, found, section)
        else:
            self.problem(place, f"a table, {section.header}", describe(table), section.header)
        for key, setting in known.items():
            if key in found:
                continue
            if setting.needed and isinstance(table, dict):
                self.problem((*place, *key.split(".")), setting.kind.expects, "nothing", setting.line)
            found[key] = setting.fallback()
        return Values(place, found) if len(self.problems) == before else None

    def named(self, table: object, name: str, section: Section) -> dict[str, Values | None]:
        """`[paths.NAME]`: the values by name."""
        if not isinstance(table, dict):
            self.problem((name,), f"tables with names, {section.header}", describe(table), section.header.replace("NAME", "first"))
            return {}
        found: dict[str, Values | None] = {}
        for key, inner in cast("dict[str, object]", table).items():
            try:
                NAME.read(key)
            except Unfit as unfit:
                self.problem((name, key), NAME.expects, unfit.found, section.header.replace("NAME", "first"))
                continue
            found[key] = self.table(inner, (name, key), section)
        return found

    def several(self, tables: object, name: str, section: Section) -> list[Values | None]:
        """`[[budget]]`: the values in order."""
        if not isinstance(tables, list):
            self.problem((name,), f"a list of tables, {section.header}", describe(tables), section.header)
            return []
        return [self.table(table, (name, number), section) for number, table in enumerate(cast("list[object]", tables))]

    def _walk(
        self,
        table: dict[str, object],
        place: Place,
        prefix: str,
        known: dict[str, Setting[object]],
        found: dict[str, object],
        section: Section,
    ) -> None:
        for key, value in table.items():
            name, here = prefix + key, (*place, key)
            setting = known.get(name) if "." not in key else None
            if setting is not None:
                try:
                    found[name] = setting.kind.read(value)
                except Unfit as unfit:
                    found[name] = None
                    self._unfit(here, setting, unfit)
            elif "." not in key and any(other.startswith(f"{name}.") for other in known):
                if isinstance(value, dict):
                    self._walk(cast("dict[str, object]", value), here, f"{name}.", known, found, section)
                else:
                    inner = next(other for other in known.values() if other.key.startswith(f"{name}."))
                    self.problem(here, "a table", describe(value), inner.line)
            else:
                self._unknown(here, name, known, section)

    def _unfit(self, place: Place, setting: Setting[object], unfit: Unfit) -> None:
        self.problem((*place, *unfit.within), unfit.expected or setting.kind.expects, unfit.found, setting.line)

    def _unknown(self, place: Place, name: str, known: dict[str, Setting[object]], section: Section) -> None:
        meant = next((known[word] for word in closest(name, list(known))), None)
        if meant:
            hint = f'; did you mean "{meant.key}"?'
        else:
            homes = [other.header for other in SECTIONS.values() if any(setting.key == name for setting in other.settings)]
            hint = f"; it belongs to {' or '.join(homes)}" if homes else ""
        example = (meant or section.settings[0]).line
        self.problem(place, f"a setting of {section.header}", f"the unknown name {describe(name)}{hint}", example)


def show(place: Place) -> str:
    """`workspaces.ci.caps.month`, `budget[2].scope` (counted from 1, as people count)."""
    text = ""
    for key in place:
        if isinstance(key, int):
            text += f"[{key + 1}]"
        else:
            text += f".{key}" if text else key
    return text
