//go:build cuda

// A link-time stand-in for libcuda: every driver function that gorgonia.org/cu refers to is a jump through a table, which shim_open
// fills from the library. So the program links without NVIDIA's files, starts without a driver and uses one where there is one.
#define _GNU_SOURCE
#include "shim.h"

#include <dlfcn.h>
#include <stdio.h>

static int not_initialized(void) { return 3; } // CUDA_ERROR_NOT_INITIALIZED

#define F(name) __attribute__((visibility("hidden"))) void *shim_entry_##name = (void *)not_initialized;
#include "symbols.h"
#undef F

#if defined(__x86_64__)
#define JUMP(name) "jmp *shim_entry_" #name "(%rip)\n"
#elif defined(__aarch64__)
#define JUMP(name) "adrp x16, shim_entry_" #name "\nldr x16, [x16, :lo12:shim_entry_" #name "]\nbr x16\n"
#else
#error "no jumps for this architecture"
#endif
#define F(name) \
	__asm__(".text\n.globl " #name "\n.hidden " #name "\n.type " #name ",%function\n" #name ":\n" JUMP(name) ".size " #name ",.-" #name "\n");
#include "symbols.h"
#undef F

// gorgonia.org/cu calls cuInit while the program starts, and ends it when that fails: this one says yes to everything, and shim_open
// calls the real one.
__attribute__((visibility("hidden"))) int cuInit(unsigned flags)
{
	(void)flags;
	return 0;
}

static void *library;

int shim_open(const char *name, char *message, int length)
{
	static int result = 1;
	if (result <= 0 || library)
		return result;
	library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		snprintf(message, length, "%s", dlerror());
		return -1;
	}
	int (*init)(unsigned) = (int (*)(unsigned))dlsym(library, "cuInit");
	if (!init) {
		snprintf(message, length, "%s has no cuInit", name);
		return result = -1;
	}
	void *p;
#define F(name)                        \
	if ((p = dlsym(library, #name))) \
		shim_entry_##name = p;
#include "symbols.h"
#undef F
	result = init(0);
	return result;
}

// CALL looks a function up once; threads that do so at the same time store the same address.
#define CALL(name, prototype, arguments)                                        \
	static int (*f) prototype;                                                  \
	if (!f && !(library && (f = (int (*) prototype)dlsym(library, #name)))) \
		return SHIM_MISSING;                                                    \
	return f arguments

int shim_host_alloc(void **p, size_t bytes) { CALL(cuMemHostAlloc, (void **, size_t, unsigned), (p, bytes, 1)); } // 1: for all devices
int shim_host_free(void *p) { CALL(cuMemFreeHost, (void *), (p)); }
int shim_copy_to_host(void *to, unsigned long long from, size_t bytes, void *stream)
{
	CALL(cuMemcpyDtoHAsync_v2, (void *, unsigned long long, size_t, void *), (to, from, bytes, stream));
}
int shim_copy_to_device(unsigned long long to, const void *from, size_t bytes, void *stream)
{
	CALL(cuMemcpyHtoDAsync_v2, (unsigned long long, const void *, size_t, void *), (to, from, bytes, stream));
}
int shim_begin_capture(void *stream) { CALL(cuStreamBeginCapture_v2, (void *, int), (stream, 1)); } // 1: of this thread
int shim_end_capture(void *stream, void **graph) { CALL(cuStreamEndCapture, (void *, void **), (stream, graph)); }
int shim_instantiate(void **executable, void *graph) { CALL(cuGraphInstantiateWithFlags, (void **, void *, unsigned long long), (executable, graph, 0)); }
int shim_launch_graph(void *executable, void *stream) { CALL(cuGraphLaunch, (void *, void *), (executable, stream)); }
int shim_destroy_graph(void *graph) { CALL(cuGraphDestroy, (void *), (graph)); }
int shim_destroy_executable(void *executable) { CALL(cuGraphExecDestroy, (void *), (executable)); }
int shim_event_create(void **event) { CALL(cuEventCreate, (void **, unsigned), (event, 2)); } // 2: without times
int shim_event_destroy(void *event) { CALL(cuEventDestroy_v2, (void *), (event)); }
int shim_event_record(void *event, void *stream) { CALL(cuEventRecord, (void *, void *), (event, stream)); }
int shim_stream_wait(void *stream, void *event) { CALL(cuStreamWaitEvent, (void *, void *, unsigned), (stream, event, 0)); }
int shim_stream_create(void **stream) { CALL(cuStreamCreate, (void **, unsigned), (stream, 1)); } // 1: does not wait for the default stream
int shim_stream_destroy(void *stream) { CALL(cuStreamDestroy_v2, (void *), (stream)); }
int shim_stream_synchronize(void *stream) { CALL(cuStreamSynchronize, (void *), (stream)); }
