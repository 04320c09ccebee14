/* A mass on a spring for FMI 2 model exchange: nothing but its two states goes on.
 *
 * x' = v, v' = force - stiffness x - damping v. What is read: accel = v', and energy.
 * Beyond 1000 m it crashes, below -1000 m it hangs, above 1000 m/s it refuses. It waits for as long
 * as there is a file where the variable SPRING_HELD_BY of its surroundings says.
 * Value references: 0 x, 1 v, 2 der(x), 3 der(v), 4 stiffness, 5 damping, 6 force, 7 accel,
 * 8 energy.
 */
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct {
    double value[9];
} Spring;
typedef unsigned int Ref;
typedef struct {
    int newDiscreteStatesNeeded, terminateSimulation, nominalsOfContinuousStatesChanged,
        valuesOfContinuousStatesChanged, nextEventTimeDefined;
    double nextEventTime;
} Event;

enum { OK = 0, ERROR = 3 };
enum { X, V, DX, DV, STIFFNESS, DAMPING, FORCE, ACCEL, ENERGY };

static void begin(Spring *s) {
    const double start[9] = {[X] = 1.0, [STIFFNESS] = 4.0, [DAMPING] = 0.2};
    for (int i = 0; i < 9; i++) s->value[i] = start[i];
}

static void wait_while_held(void) {
    const char *by = getenv("SPRING_HELD_BY");
    while (by != NULL && access(by, F_OK) == 0) usleep(1000);
}

static int follow(Spring *s) {
    double *a = s->value;
    wait_while_held();
    if (a[X] > 1000) abort();
    while (a[X] < -1000) {
        volatile double *watched = &a[X];
        (void)*watched;
    }
    if (a[V] > 1000) return ERROR;
    a[DX] = a[V];
    a[DV] = a[ACCEL] = a[FORCE] - a[STIFFNESS] * a[X] - a[DAMPING] * a[V];
    a[ENERGY] = (a[STIFFNESS] * a[X] * a[X] + a[V] * a[V]) / 2;
    return OK;
}

void *fmi2Instantiate(const char *name, int type, const char *guid, const char *where,
                      const void *callbacks, int visible, int logging) {
    Spring *s = calloc(1, sizeof(Spring));
    (void)name, (void)type, (void)guid, (void)where, (void)callbacks, (void)visible, (void)logging;
    begin(s);
    return s;
}

void fmi2FreeInstance(void *c) { free(c); }
int fmi2Reset(void *c) {
    begin(c);
    return OK;
}
int fmi2SetupExperiment(void *c, int hasTolerance, double tolerance, double start, int hasStop,
                        double stop) {
    (void)c, (void)hasTolerance, (void)tolerance, (void)start, (void)hasStop, (void)stop;
    return OK;
}
int fmi2EnterInitializationMode(void *c) { return c ? OK : ERROR; }
int fmi2ExitInitializationMode(void *c) { return c ? OK : ERROR; }
int fmi2EnterEventMode(void *c) { return c ? OK : ERROR; }
int fmi2EnterContinuousTimeMode(void *c) { return c ? OK : ERROR; }
int fmi2Terminate(void *c) { return c ? OK : ERROR; }
int fmi2SetTime(void *c, double time) {
    (void)time;
    return c ? OK : ERROR;
}

int fmi2SetContinuousStates(void *c, const double x[], size_t n) {
    if (n != 2) return ERROR;
    for (size_t i = 0; i < n; i++) ((Spring *)c)->value[i] = x[i];
    return OK;
}

int fmi2GetContinuousStates(void *c, double x[], size_t n) {
    if (n != 2) return ERROR;
    for (size_t i = 0; i < n; i++) x[i] = ((Spring *)c)->value[i];
    return OK;
}

int fmi2GetDerivatives(void *c, double dx[], size_t n) {
    Spring *s = c;
    if (n != 2 || follow(s) != OK) return ERROR;
    dx[0] = s->value[DX];
    dx[1] = s->value[DV];
    return OK;
}

int fmi2GetEventIndicators(void *c, double z[], size_t n) {
    (void)c, (void)z;
    return n == 0 ? OK : ERROR;
}

int fmi2CompletedIntegratorStep(void *c, int noSet, int *enterEventMode, int *terminate) {
    (void)c, (void)noSet;
    *enterEventMode = *terminate = 0;
    return OK;
}

int fmi2NewDiscreteStates(void *c, Event *event) {
    const Event nothing = {0};
    (void)c;
    *event = nothing;
    return OK;
}

int fmi2GetReal(void *c, const Ref vr[], size_t n, double value[]) {
    Spring *s = c;
    if (follow(s) != OK) return ERROR;
    for (size_t i = 0; i < n; i++) {
        if (vr[i] > ENERGY) return ERROR;
        value[i] = s->value[vr[i]];
    }
    return OK;
}

int fmi2SetReal(void *c, const Ref vr[], size_t n, const double value[]) {
    for (size_t i = 0; i < n; i++) {
        if (vr[i] > FORCE) return ERROR;
        ((Spring *)c)->value[vr[i]] = value[i];
    }
    return OK;
}

/* The standard wants every function to be there; these refuse. */
#define REFUSES(name) \
    int name(void) { return ERROR; }
REFUSES(fmi2SetDebugLogging)
REFUSES(fmi2GetInteger)
REFUSES(fmi2GetBoolean)
REFUSES(fmi2GetString)
REFUSES(fmi2SetInteger)
REFUSES(fmi2SetBoolean)
REFUSES(fmi2SetString)
REFUSES(fmi2GetFMUstate)
REFUSES(fmi2SetFMUstate)
REFUSES(fmi2FreeFMUstate)
REFUSES(fmi2SerializedFMUstateSize)
REFUSES(fmi2SerializeFMUstate)
REFUSES(fmi2DeSerializeFMUstate)
REFUSES(fmi2GetDirectionalDerivative)
REFUSES(fmi2GetNominalsOfContinuousStates)

const char *fmi2GetTypesPlatform(void) { return "default"; }
const char *fmi2GetVersion(void) { return "2.0"; }
