/* A saw tooth for FMI 2 model exchange, with an event of the state and one of the time.
 *
 * x' = -x from 1. Where x falls to 1/2 it is doubled; at the time `kick` it gains 1.
 * Value references: 0 x, 1 der(x), 2 kick, 3 doubled (how often).
 */
#include <stddef.h>
#include <stdlib.h>

typedef struct {
    double time, x, kick;
    int kicked, doubled;
} Saw;
typedef unsigned int Ref;
typedef struct {
    int newDiscreteStatesNeeded, terminateSimulation, nominalsOfContinuousStatesChanged,
        valuesOfContinuousStatesChanged, nextEventTimeDefined;
    double nextEventTime;
} Event;

enum { OK = 0, ERROR = 3 };

void *fmi2Instantiate(const char *name, int type, const char *guid, const char *where,
                      const void *callbacks, int visible, int logging) {
    Saw *saw = calloc(1, sizeof(Saw));
    (void)name, (void)type, (void)guid, (void)where, (void)callbacks, (void)visible, (void)logging;
    saw->x = 1.0;
    saw->kick = 1.0;
    return saw;
}

void fmi2FreeInstance(void *c) { free(c); }
int fmi2SetupExperiment(void *c, int hasTolerance, double tolerance, double start, int hasStop,
                        double stop) {
    (void)hasTolerance, (void)tolerance, (void)hasStop, (void)stop;
    ((Saw *)c)->time = start;
    return OK;
}
int fmi2EnterInitializationMode(void *c) { return c ? OK : ERROR; }
int fmi2ExitInitializationMode(void *c) { return c ? OK : ERROR; }
int fmi2EnterEventMode(void *c) { return c ? OK : ERROR; }
int fmi2EnterContinuousTimeMode(void *c) { return c ? OK : ERROR; }
int fmi2Terminate(void *c) { return c ? OK : ERROR; }

int fmi2SetTime(void *c, double time) {
    ((Saw *)c)->time = time;
    return OK;
}

int fmi2SetContinuousStates(void *c, const double x[], size_t n) {
    if (n != 1) return ERROR;
    ((Saw *)c)->x = x[0];
    return OK;
}

int fmi2GetContinuousStates(void *c, double x[], size_t n) {
    if (n != 1) return ERROR;
    x[0] = ((Saw *)c)->x;
    return OK;
}

int fmi2GetDerivatives(void *c, double dx[], size_t n) {
    if (n != 1) return ERROR;
    dx[0] = -((Saw *)c)->x;
    return OK;
}

int fmi2GetEventIndicators(void *c, double z[], size_t n) {
    if (n != 1) return ERROR;
    z[0] = ((Saw *)c)->x - 0.5;
    return OK;
}

int fmi2CompletedIntegratorStep(void *c, int noSet, int *enterEventMode, int *terminate) {
    (void)c, (void)noSet;
    *enterEventMode = *terminate = 0;
    return OK;
}

int fmi2NewDiscreteStates(void *c, Event *event) {
    Saw *saw = c;
    Event told = {0};
    if (saw->x <= 0.5) {
        saw->x *= 2;
        saw->doubled++;
        told.valuesOfContinuousStatesChanged = 1;
        told.newDiscreteStatesNeeded = 1;
    }
    if (!saw->kicked && saw->time >= saw->kick) {
        saw->x += 1;
        saw->kicked = 1;
        told.valuesOfContinuousStatesChanged = 1;
    }
    told.nextEventTimeDefined = !saw->kicked;
    told.nextEventTime = saw->kick;
    *event = told;
    return OK;
}

int fmi2GetReal(void *c, const Ref vr[], size_t n, double value[]) {
    Saw *saw = c;
    for (size_t i = 0; i < n; i++) {
        if (vr[i] > 2) return ERROR;
        value[i] = vr[i] == 0 ? saw->x : vr[i] == 1 ? -saw->x : saw->kick;
    }
    return OK;
}

int fmi2SetReal(void *c, const Ref vr[], size_t n, const double value[]) {
    for (size_t i = 0; i < n; i++) {
        if (vr[i] != 2) return ERROR;
        ((Saw *)c)->kick = value[i];
    }
    return OK;
}

int fmi2GetInteger(void *c, const Ref vr[], size_t n, int value[]) {
    for (size_t i = 0; i < n; i++) {
        if (vr[i] != 3) return ERROR;
        value[i] = ((Saw *)c)->doubled;
    }
    return OK;
}

/* The standard wants every function to be there; these refuse. */
#define REFUSES(name) \
    int name(void) { return ERROR; }
REFUSES(fmi2SetDebugLogging)
REFUSES(fmi2Reset)
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
