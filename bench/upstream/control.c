/* Reads the query of the control URL against one table of settings. */
#include "control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int control_take(const char *query, struct settings *settings, struct counts *counts)
{
    struct {
        const char *name;
        int *value;
        int least, most;
    } numbers[] = {
        {"delay_ms", &settings->delay_ms, 0, 600000},
        {"interval_ms", &settings->interval_ms, 0, 600000},
        {"events", &settings->events, FEWEST_EVENTS, MOST_EVENTS},
        {"burst", &settings->burst, 1, MOST_EVENTS},
        {"input_tokens", &settings->input_tokens, 0, 1000000000},
        {"output_tokens", &settings->output_tokens, 0, 1000000000},
    };
    char copy[512];
    char *rest = NULL;
    snprintf(copy, sizeof copy, "%s", query);
    for (char *pair = strtok_r(copy, "&", &rest); pair != NULL; pair = strtok_r(NULL, "&", &rest)) {
        char *value = strchr(pair, '=');
        int known = 0;
        if (value == NULL)
            return 0;
        *value++ = 0;
        for (size_t index = 0; index < sizeof numbers / sizeof numbers[0]; index++)
            if (strcmp(pair, numbers[index].name) == 0) {
                int number = atoi(value);
                if (number < numbers[index].least || number > numbers[index].most)
                    return 0;
                *numbers[index].value = number;
                known = 1;
            }
        if (strcmp(pair, "model") == 0) {
            snprintf(settings->model, sizeof settings->model, "%s", value);
            known = 1;
        }
        if (strcmp(pair, "reset") == 0) {
            *counts = (struct counts){.open = counts->open};
            known = 1;
        }
        if (!known)
            return 0;
    }
    return 1;
}

size_t control_tell(char *out, size_t room, const struct settings *settings, const struct counts *counts)
{
    int length = snprintf(out, room,
                          "{\"requests\":%lu,\"answers\":%lu,\"events\":%lu,\"unknown\":%lu,\"connections\":%lu,\"open\":%lu,\"delay_ms\":%d,"
                          "\"interval_ms\":%d,\"events_per_stream\":%d,\"burst\":%d,\"input_tokens\":%d,\"output_tokens\":%d,\"model\":\"%s\"}",
                          counts->requests, counts->answers, counts->events, counts->unknown, counts->connections, counts->open, settings->delay_ms,
                          settings->interval_ms, settings->events, settings->burst, settings->input_tokens, settings->output_tokens, settings->model);
    return (size_t)length;
}
