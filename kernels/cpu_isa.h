// Instantiates the CPU kernels for one instruction set: the including file sets ISA and BYTES and selects the target.
#include "acoustic.h"
#include "cpu.h"

#include <string.h>

#define PASTE2(a, b, c) a##_##b##_##c
#define PASTE(a, b, c) PASTE2(a, b, c)

#define REAL float
#define LANES (BYTES / 4)
#define LANE_INDEX int
#define ROWS (BYTES == 64 ? 8 : 4)
#define NAME(x) PASTE(x, f32, ISA)
#include "cpu_acoustic2d.h"
#include "cpu_acoustic3d.h"
#include "cpu_snapshot16.h"
#include "cpu_undef.h"

#define REAL double
#define LANES (BYTES > 16 ? BYTES / 8 : 4)
#define LANE_INDEX long
#define ROWS 4 // for tests: quick to compile
#define NAME(x) PASTE(x, f64, ISA)
#include "cpu_acoustic2d.h"
#include "cpu_acoustic3d.h"
#include "cpu_snapshot16.h"
#include "cpu_undef.h"

#define TABLE2(isa) cpu_##isa
#define TABLE(isa) TABLE2(isa)
#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)
const cpu_kernels TABLE(ISA) = {TEXT(ISA), PASTE(forward, f32, ISA), PASTE(adjoint, f32, ISA),
                                PASTE(forward, f64, ISA), PASTE(adjoint, f64, ISA),
                                PASTE(forward3d, f32, ISA), PASTE(adjoint3d, f32, ISA),
                                PASTE(forward3d, f64, ISA), PASTE(adjoint3d, f64, ISA),
                                PASTE(narrow, f32, ISA), PASTE(narrow, f64, ISA),
                                PASTE(widen, f32, ISA), PASTE(widen, f64, ISA)};
