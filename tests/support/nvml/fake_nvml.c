/* A libnvidia-ml.so.1 whose GPUs are lines of a file.
 *
 * The file is named by FAKE_NVML_STATE and is read again whenever it was replaced, so that a device can vanish or an
 * error grow while the process runs. Each line is `key=value`:
 *
 *   driver, init (return code of nvmlInit), gpus (their number)
 *   <gpu>.<name>                 a value, see the functions below; one without is NVML_ERROR_NOT_SUPPORTED
 *   <gpu>.error.<function>       return code of that function for that GPU
 *   <gpu>.sleep.<function>       seconds that it takes
 *   <gpu>.lost=1                 every function returns NVML_ERROR_GPU_IS_LOST
 *   <gpu>.xids=31,79             the Xid errors so far: each event set gets each of them once, those before it not
 *   <gpu>.processes=1234:1048576,99:na
 *   <gpu>.field.<id>.<scope>=<type>:<value>
 *   <gpu>.mig.<place>.<name>     an instance; <gpu>.mig_places is their number
 *
 * With -DOLD_DRIVER the functions are not there that came after the first of their kind, and field values.
 * Structures and return codes are those of nvml.h.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7,
       TIMEOUT = 10, LIBRARY_NOT_FOUND = 12, GPU_IS_LOST = 15, VERSION_MISMATCH = 25 };
enum { MAX_GPUS = 16, MAX_PLACES = 7, SLOTS = 8192, WORD = 160 };

typedef struct { int gpu, place; char prefix[32]; } Device;
typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } MemoryV2;
typedef struct { unsigned gpu, memory; } Utilization;
typedef struct { unsigned pid; unsigned long long used; unsigned gi, ci; } Process;
typedef union { double d; unsigned ui; unsigned long ul; unsigned long long ull; long long sll; int si; } Value;
typedef struct { uint32_t field, scope; int64_t timestamp, latency; int type, status; Value value; } Field;
typedef struct { Device *device; unsigned long long type, data; unsigned gi, ci; } Event;
typedef struct { Device *device; int seen; } EventSet;
typedef struct { unsigned version; unsigned sensor; int temperature; } TemperatureV;

static struct { char key[WORD], value[WORD]; } slots[SLOTS];
static Device gpus[MAX_GPUS], places[MAX_GPUS][MAX_PLACES];
static int started, event_sets;
static struct timespec read_at;
static ino_t read_inode;

static unsigned slot_of(const char *key) {
    unsigned hash = 2166136261u;
    for (const char *at = key; *at; at++) hash = (hash ^ (unsigned char)*at) * 16777619u;
    for (hash %= SLOTS; slots[hash].key[0] && strcmp(slots[hash].key, key); hash = (hash + 1) % SLOTS) {}
    return hash;
}

static void load(void) {
    const char *path = getenv("FAKE_NVML_STATE");
    struct stat now;
    if (!path || stat(path, &now)) { memset(slots, 0, sizeof slots); read_inode = 0; return; }
    if (now.st_ino == read_inode && !memcmp(&now.st_mtim, &read_at, sizeof read_at)) return;
    FILE *file = fopen(path, "r");
    if (!file) return;
    memset(slots, 0, sizeof slots);
    char line[2 * WORD];
    while (fgets(line, sizeof line, file)) {
        char *equals = strchr(line, '=');
        if (!equals) continue;
        *equals = 0;
        equals[1 + strcspn(equals + 1, "\n")] = 0;
        if (strlen(line) >= WORD || strlen(equals + 1) >= WORD) abort();
        unsigned slot = slot_of(line);
        strcpy(slots[slot].key, line);
        strcpy(slots[slot].value, equals + 1);
    }
    fclose(file);
    read_at = now.st_mtim;
    read_inode = now.st_ino;
}

static const char *text(const char *format, ...) {
    char key[WORD];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(key, sizeof key, format, arguments);
    va_end(arguments);
    unsigned slot = slot_of(key);
    return slots[slot].key[0] ? slots[slot].value : NULL;
}

static long long number(const char *value, long long otherwise) { return value ? strtoll(value, NULL, 0) : otherwise; }

/* What every function does first. */
static int enter(Device *device, const char *function) {
    load();
    if (!started) return UNINITIALIZED;
    if (!device) return INVALID_ARGUMENT;
    long long seconds = number(text("%d.sleep.%s", device->gpu, function), 0);
    if (seconds) nanosleep(&(struct timespec){seconds, 0}, NULL);
    if (number(text("%d.lost", device->gpu), 0)) return GPU_IS_LOST;
    return (int)number(text("%d.error.%s", device->gpu, function), SUCCESS);
}

static int fetch(Device *device, const char *function, const char *name, unsigned long long *found) {
    int status = enter(device, function);
    if (status) return status;
    const char *value = text("%s.%s", device->prefix, name);
    if (!value) return NOT_SUPPORTED;
    *found = strtoull(value, NULL, 0);
    return SUCCESS;
}

static int fetch_unsigned(Device *device, const char *function, const char *name, unsigned *found) {
    unsigned long long wide;
    int status = fetch(device, function, name, &wide);
    if (!status) *found = (unsigned)wide;
    return status;
}

static int fetch_text(Device *device, const char *function, const char *name, char *out, unsigned length) {
    int status = enter(device, function);
    if (status) return status;
    const char *value = text("%s.%s", device->prefix, name);
    if (!value) return NOT_SUPPORTED;
    return snprintf(out, length, "%s", value) < (int)length ? SUCCESS : INSUFFICIENT_SIZE;
}

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    load();
    if (!getenv("FAKE_NVML_STATE")) return LIBRARY_NOT_FOUND;
    int status = (int)number(text("init"), SUCCESS);
    if (status) return status;
    for (int gpu = 0; gpu < MAX_GPUS; gpu++) {
        gpus[gpu].gpu = gpu;
        gpus[gpu].place = -1;
        snprintf(gpus[gpu].prefix, sizeof gpus[gpu].prefix, "%d", gpu);
        for (int place = 0; place < MAX_PLACES; place++) {
            places[gpu][place] = (Device){gpu, place, ""};
            snprintf(places[gpu][place].prefix, sizeof places[gpu][place].prefix, "%d.mig.%d", gpu, place);
        }
    }
    started++;
    return SUCCESS;
}

int nvmlShutdown(void) {
    if (!started) return UNINITIALIZED;
    started--;
    return SUCCESS;
}

/* For the tests: what is still held. */
int fake_started(void) { return started; }
int fake_event_sets(void) { return event_sets; }

const char *nvmlErrorString(int status) { (void)status; return "an error of the fake"; }

int nvmlSystemGetDriverVersion(char *out, unsigned length) {
    load();
    if (!started) return UNINITIALIZED;
    const char *driver = text("driver");
    snprintf(out, length, "%s", driver ? driver : "535.104.05");
    return SUCCESS;
}

int nvmlDeviceGetCount_v2(unsigned *count) {
    load();
    if (!started) return UNINITIALIZED;
    *count = (unsigned)number(text("gpus"), 0);
    return SUCCESS;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device **device) {
    load();
    if (!started) return UNINITIALIZED;
    if (index >= (unsigned)number(text("gpus"), 0) || index >= MAX_GPUS) return INVALID_ARGUMENT;
    *device = &gpus[index];
    return enter(*device, "nvmlDeviceGetHandleByIndex");
}

int nvmlDeviceGetUUID(Device *device, char *out, unsigned length) {
    return fetch_text(device, "nvmlDeviceGetUUID", "uuid", out, length);
}

int nvmlDeviceGetName(Device *device, char *out, unsigned length) {
    return fetch_text(device, "nvmlDeviceGetName", "name", out, length);
}

int nvmlDeviceGetMigMode(Device *device, unsigned *current, unsigned *pending) {
    int status = fetch_unsigned(device, "nvmlDeviceGetMigMode", "mig_mode", current);
    *pending = *current;
    return status;
}

int nvmlDeviceGetMaxMigDeviceCount(Device *device, unsigned *count) {
    return fetch_unsigned(device, "nvmlDeviceGetMaxMigDeviceCount", "mig_places", count);
}

int nvmlDeviceGetMigDeviceHandleByIndex(Device *device, unsigned index, Device **instance) {
    int status = enter(device, "nvmlDeviceGetMigDeviceHandleByIndex");
    if (status) return status;
    if (index >= MAX_PLACES || !text("%s.mig.%u.uuid", device->prefix, index)) return NOT_FOUND;
    *instance = &places[device->gpu][index];
    return SUCCESS;
}

int nvmlDeviceGetGpuInstanceId(Device *device, unsigned *id) {
    return fetch_unsigned(device, "nvmlDeviceGetGpuInstanceId", "gi", id);
}

int nvmlDeviceGetComputeInstanceId(Device *device, unsigned *id) {
    return fetch_unsigned(device, "nvmlDeviceGetComputeInstanceId", "ci", id);
}

int nvmlDeviceGetUtilizationRates(Device *device, Utilization *found) {
    int status = fetch_unsigned(device, "nvmlDeviceGetUtilizationRates", "util_gpu", &found->gpu);
    return status ? status : fetch_unsigned(device, "nvmlDeviceGetUtilizationRates", "util_memory", &found->memory);
}

int nvmlDeviceGetEncoderUtilization(Device *device, unsigned *share, unsigned *period) {
    *period = 167000;
    return fetch_unsigned(device, "nvmlDeviceGetEncoderUtilization", "util_encoder", share);
}

int nvmlDeviceGetDecoderUtilization(Device *device, unsigned *share, unsigned *period) {
    *period = 167000;
    return fetch_unsigned(device, "nvmlDeviceGetDecoderUtilization", "util_decoder", share);
}

/* Without the version: in use is everything that is not free. */
int nvmlDeviceGetMemoryInfo(Device *device, Memory *found) {
    int status = fetch(device, "nvmlDeviceGetMemoryInfo", "memory_total", &found->total);
    if (status) return status;
    fetch(device, "nvmlDeviceGetMemoryInfo", "memory_free", &found->free);
    found->used = found->total - found->free;
    return SUCCESS;
}

int nvmlDeviceGetPowerUsage(Device *device, unsigned *milliwatts) {
    return fetch_unsigned(device, "nvmlDeviceGetPowerUsage", "power_mw", milliwatts);
}

int nvmlDeviceGetEnforcedPowerLimit(Device *device, unsigned *milliwatts) {
    return fetch_unsigned(device, "nvmlDeviceGetEnforcedPowerLimit", "power_limit_mw", milliwatts);
}

int nvmlDeviceGetTemperature(Device *device, unsigned sensor, unsigned *found) {
    if (sensor) return INVALID_ARGUMENT;
    return fetch_unsigned(device, "nvmlDeviceGetTemperature", "temperature", found);
}

int nvmlDeviceGetClockInfo(Device *device, unsigned clock, unsigned *megahertz) {
    static const char *names[] = {"clock_graphics", "clock_sm", "clock_memory", "clock_video"};
    if (clock > 3) return INVALID_ARGUMENT;
    return fetch_unsigned(device, "nvmlDeviceGetClockInfo", names[clock], megahertz);
}

int nvmlDeviceGetCurrentClocksThrottleReasons(Device *device, unsigned long long *mask) {
    return fetch(device, "nvmlDeviceGetCurrentClocksThrottleReasons", "throttle_reasons", mask);
}

int nvmlDeviceGetTotalEccErrors(Device *device, unsigned kind, unsigned counter, unsigned long long *count) {
    if (counter) return NOT_SUPPORTED;
    return fetch(device, "nvmlDeviceGetTotalEccErrors", kind ? "ecc_uncorrected" : "ecc_corrected", count);
}

static int xids(Device *device, int *values) {
    const char *at = text("%s.xids", device->prefix);
    int count = 0;
    while (at && *at && count < 1000) {
        values[count++] = (int)strtol(at, (char **)&at, 10);
        if (*at == ',') at++;
    }
    return count;
}

int nvmlEventSetCreate(EventSet **set) {
    *set = calloc(1, sizeof **set);
    event_sets++;
    return SUCCESS;
}

int nvmlDeviceRegisterEvents(Device *device, unsigned long long types, EventSet *set) {
    int values[1000], status = enter(device, "nvmlDeviceRegisterEvents");
    (void)types;
    if (status) return status;
    if (!text("%s.xids", device->prefix)) return NOT_SUPPORTED;
    set->device = device;
    set->seen = xids(device, values);
    return SUCCESS;
}

int nvmlEventSetFree(EventSet *set) {
    free(set);
    event_sets--;
    return SUCCESS;
}

#ifndef OLD_DRIVER
int nvmlEventSetWait_v2(EventSet *set, Event *event, unsigned milliseconds) {
    int values[1000];
    (void)milliseconds;
    load();
    if (!started) return UNINITIALIZED;
    if (!set->device) return TIMEOUT;
    int count = xids(set->device, values);
    if (set->seen < count) {
        *event = (Event){set->device, 8, (unsigned long long)values[set->seen++], 0xffffffff, 0xffffffff};
        return SUCCESS;
    }
    return number(text("%d.lost", set->device->gpu), 0) ? GPU_IS_LOST : TIMEOUT;
}

int nvmlDeviceGetMemoryInfo_v2(Device *device, MemoryV2 *found) {
    if (found->version != 0x02000028) return VERSION_MISMATCH;
    int status = fetch(device, "nvmlDeviceGetMemoryInfo_v2", "memory_total", &found->total);
    if (status) return status;
    fetch(device, "nvmlDeviceGetMemoryInfo_v2", "memory_reserved", &found->reserved);
    fetch(device, "nvmlDeviceGetMemoryInfo_v2", "memory_free", &found->free);
    found->used = found->total - found->reserved - found->free;
    return SUCCESS;
}

int nvmlDeviceGetTotalEnergyConsumption(Device *device, unsigned long long *millijoules) {
    return fetch(device, "nvmlDeviceGetTotalEnergyConsumption", "energy_mj", millijoules);
}

int nvmlDeviceGetTemperatureV(Device *device, TemperatureV *found) {
    if (found->version != 0x100000C) return VERSION_MISMATCH;
    return fetch_unsigned(device, "nvmlDeviceGetTemperatureV", "temperature", (unsigned *)&found->temperature);
}

int nvmlDeviceGetCurrentClocksEventReasons(Device *device, unsigned long long *mask) {
    return fetch(device, "nvmlDeviceGetCurrentClocksEventReasons", "throttle_reasons", mask);
}

int nvmlDeviceGetComputeRunningProcesses_v3(Device *device, unsigned *count, Process *found) {
    int status = enter(device, "nvmlDeviceGetComputeRunningProcesses_v3");
    if (status) return status;
    const char *at = text("%s.processes", device->prefix);
    unsigned room = *count;
    if (!at) return NOT_SUPPORTED;
    for (*count = 0; *at; ++*count) {
        Process process = {(unsigned)strtoul(at, (char **)&at, 10), ~0ull, 0xffffffff, 0xffffffff};
        at++;
        if (*at == 'n') at += 2;
        else process.used = strtoull(at, (char **)&at, 10);
        if (*at == ',') at++;
        if (found && *count < room) found[*count] = process;
    }
    return *count > room ? INSUFFICIENT_SIZE : SUCCESS;
}

int nvmlDeviceGetFieldValues(Device *device, int count, Field *fields) {
    int status = enter(device, "nvmlDeviceGetFieldValues");
    if (status) return status;
    for (int index = 0; index < count; index++) {
        Field *field = &fields[index];
        const char *value = text("%s.field.%u.%u", device->prefix, field->field, field->scope);
        field->status = value ? SUCCESS : NOT_SUPPORTED;
        if (!value) continue;
        field->type = (int)strtol(value, (char **)&value, 10);
        if (field->type < 0) field->status = -field->type;
        else if (field->type == 1) field->value.ui = (unsigned)strtoull(value + 1, NULL, 0);
        else field->value.ull = strtoull(value + 1, NULL, 0);
    }
    return SUCCESS;
}
#endif
