/* Writes the line by hand: its names are fixed and its values are numbers. */
#include "report.h"

#include <stddef.h>
#include <stdio.h>

static void tell_times(const char *name, const struct histogram *times)
{
    printf("\"%s\":{\"count\":%lu,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"max\":%.1f},", name, times->count,
           (double)histogram_quantile(times, 0.50) / 1e3, (double)histogram_quantile(times, 0.90) / 1e3,
           (double)histogram_quantile(times, 0.99) / 1e3, (double)times->most / 1e3);
}

void totals_tell(const struct totals *totals)
{
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = {
        {"good", totals->good},
        {"not_2xx", totals->not_2xx},
        {"short_answers", totals->short_answers},
        {"transport_errors", totals->transport_errors},
        {"connect_errors", totals->connect_errors},
        {"sent", totals->sent},
        {"answered", totals->answered},
        {"unanswered", totals->unanswered},
        {"streaming", totals->streaming},
        {"unsent", totals->unsent},
        {"events", totals->events},
        {"bytes", totals->bytes},
    };
    const char *comma = "";
    printf("{\"seconds\":%.3f,\"per_second\":%.1f,\"events_per_second\":%.1f,\"cpu_share\":%.3f,", totals->seconds,
           (double)totals->good / totals->seconds, (double)totals->events / totals->seconds, totals->cpu_seconds / totals->seconds);
    for (size_t index = 0; index < sizeof counts / sizeof counts[0]; index++)
        printf("\"%s\":%lu,", counts[index].name, counts[index].value);
    tell_times("latency_us", &totals->latency);
    tell_times("first_byte_us", &totals->first_byte);
    tell_times("event_delay_us", &totals->event_delay);
    printf("\"statuses\":{");
    for (int status = 0; status < MOST_STATUS; status++)
        if (totals->statuses[status] > 0) {
            printf("%s\"%d\":%d", comma, status, totals->statuses[status]);
            comma = ",";
        }
    printf("}}\n");
}
