// A libcuda.so.1 that runs the kernels on the CPU, for tests on machines without a GPU. It is built from the same .cu file as the PTX. What it does
// not do: run anything at the same time as the caller, fuse multiplications and additions, or keep device and host memory
// apart; addresses outside an allocation are its only memory errors, when they are copied.
//
// Read from the environment at each call:
//
//     FAKECUDA_DEVICES   number of devices (1)
//     FAKECUDA_MEMORY    bytes of each (8 GiB)
//     FAKECUDA_VERSION   of the driver (12040)
//     FAKECUDA_FAIL      launches until one fails with error 719, and everything after it as long as the variable is set (none)
#include "cuda_on_cpu.h"

#include <atomic>
#include <cstdio>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#define REAL float
#define DIM 2
#define R 1
#define NAME(x) x##_2d_r1_f32
#include "../acoustic.cu"
#undef R
#undef NAME
#define R 2
#define NAME(x) x##_2d_r2_f32
#include "../acoustic.cu"
#undef R
#undef NAME
#define R 3
#define NAME(x) x##_2d_r3_f32
#include "../acoustic.cu"
#undef R
#undef NAME
#define R 4
#define NAME(x) x##_2d_r4_f32
#include "../acoustic.cu"
#undef R
#undef NAME
#undef DIM
#define DIM 3
#define R 1
#define NAME(x) x##_3d_r1_f32
#include "../acoustic.cu"
#undef R
#undef NAME
#define R 2
#define NAME(x) x##_3d_r2_f32
#include "../acoustic.cu"
#undef R
#undef NAME
#define R 3
#define NAME(x) x##_3d_r3_f32
#include "../acoustic.cu"
#undef R
#undef NAME
#define R 4
#define NAME(x) x##_3d_r4_f32
#include "../acoustic.cu"
#undef R
#undef NAME
#undef REAL
#define REAL double
#define R 1
#define NAME(x) x##_3d_r1_f64
#include "../acoustic.cu"
#undef R
#undef NAME
#define R 2
#define NAME(x) x##_3d_r2_f64
#include "../acoustic.cu"
#undef R
#undef NAME
#define R 3
#define NAME(x) x##_3d_r3_f64
#include "../acoustic.cu"
#undef R
#undef NAME
#define R 4
#define NAME(x) x##_3d_r4_f64
#include "../acoustic.cu"
#undef R
#undef NAME
#undef DIM
#define DIM 2
#define R 1
#define NAME(x) x##_2d_r1_f64
#include "../acoustic.cu"
#undef R
#undef NAME
#define R 2
#define NAME(x) x##_2d_r2_f64
#include "../acoustic.cu"
#undef R
#undef NAME
#define R 3
#define NAME(x) x##_2d_r3_f64
#include "../acoustic.cu"
#undef R
#undef NAME
#define R 4
#define NAME(x) x##_2d_r4_f64
#include "../acoustic.cu"

struct Function {
	const char *name;
	void (*run)(void **);
	int arguments;
};

#define K(name) {#name, fake::Kernel<name>::run, fake::Kernel<name>::count},
#define KERNELS(v) K(layers_forward_##v) K(layers_adjoint_##v) K(step_forward_##v) K(step_adjoint_##v) K(sum_shots_##v) K(copy_cells_##v)
static const Function functions[] = {
	KERNELS(2d_r1_f32) KERNELS(2d_r2_f32) KERNELS(2d_r3_f32) KERNELS(2d_r4_f32)
	KERNELS(3d_r1_f32) KERNELS(3d_r2_f32) KERNELS(3d_r3_f32) KERNELS(3d_r4_f32)
	KERNELS(2d_r1_f64) KERNELS(2d_r2_f64) KERNELS(2d_r3_f64) KERNELS(2d_r4_f64)
	KERNELS(3d_r1_f64) KERNELS(3d_r2_f64) KERNELS(3d_r3_f64) KERNELS(3d_r4_f64)
};

enum { INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NO_DEVICE = 100, INVALID_DEVICE = 101, INVALID_IMAGE = 200, INVALID_CONTEXT = 201, UNSUPPORTED_PTX = 222, NOT_FOUND = 500, LAUNCH_FAILED = 719 };

static long setting(const char *name, long standard)
{
	const char *text = getenv(name);
	return text && *text ? atol(text) : standard;
}

struct Allocation {
	size_t bytes;
	int device;
};

typedef unsigned long long Pointer;

static std::mutex lock;
static std::map<Pointer, Allocation> allocations;
static long used[16];
static std::atomic<bool> failed[16]; // a device whose kernel has failed does nothing more
static std::atomic<long> launches, fail_at{-1};

static thread_local int device = -1;

struct Launch {
	const Function *f;
	dim3 grid, block;
	std::vector<unsigned long long> arguments;
};

struct Graph {
	std::vector<Launch> launches;
};

struct Stream {
	Graph *recording = nullptr;
};

static bool mine(Pointer p, size_t bytes)
{
	std::lock_guard<std::mutex> guard(lock);
	auto next = allocations.upper_bound(p);
	if (next == allocations.begin())
		return false;
	auto a = std::prev(next);
	return a->second.device == device && p + bytes <= a->first + a->second.bytes;
}

static int ready()
{
	if (device < 0)
		return INVALID_CONTEXT;
	const long fail = setting("FAKECUDA_FAIL", -1);
	if (fail != fail_at) { // another fault than before, or none
		fail_at = fail;
		launches = 0;
		for (auto &f : failed)
			f = false;
	}
	return failed[device] ? LAUNCH_FAILED : 0;
}

static int run(const Launch &l)
{
	if (int rc = ready())
		return rc;
	const long fail = setting("FAKECUDA_FAIL", -1);
	if (fail >= 0 && launches++ >= fail) {
		failed[device] = true;
		return 0; // as on a GPU, it is the next call that waits which says so
	}
	void *p[16];
	for (size_t i = 0; i < l.arguments.size(); i++)
		p[i] = (void *)&l.arguments[i];
	fake::launch(l.f->run, l.grid, l.block, p);
	return 0;
}

#define API extern "C" __attribute__((visibility("default")))

API int cuInit(unsigned) { return setting("FAKECUDA_DEVICES", 1) > 0 ? 0 : NO_DEVICE; }
API int cuDriverGetVersion(int *v)
{
	*v = (int)setting("FAKECUDA_VERSION", 12040);
	return 0;
}
API int cuDeviceGetCount(int *n)
{
	*n = (int)setting("FAKECUDA_DEVICES", 1);
	return 0;
}
API int cuDeviceGet(int *d, int ordinal)
{
	*d = ordinal;
	return ordinal >= 0 && ordinal < setting("FAKECUDA_DEVICES", 1) ? 0 : INVALID_DEVICE;
}
API int cuDeviceGetName(char *s, int n, int d)
{
	snprintf(s, n, "fake device %d (CPU)", d);
	return 0;
}
API int cuDeviceGetAttribute(int *v, int attribute, int)
{
	*v = attribute == 16 ? 2 : attribute == 75 ? 8 : 0; // multiprocessors, major compute capability
	return 0;
}
API int cuDeviceTotalMem_v2(size_t *bytes, int)
{
	*bytes = (size_t)setting("FAKECUDA_MEMORY", 8l << 30);
	return 0;
}
API int cuDevicePrimaryCtxRetain(void **c, int d)
{
	*c = (void *)(uintptr_t)(d + 1);
	return 0;
}
API int cuDevicePrimaryCtxRelease_v2(int) { return 0; }
API int cuCtxSetCurrent(void *c)
{
	device = (int)(uintptr_t)c - 1;
	return 0;
}
API int cuCtxSynchronize() { return ready(); }

API int cuMemGetInfo_v2(size_t *left, size_t *total)
{
	if (device < 0)
		return INVALID_CONTEXT;
	std::lock_guard<std::mutex> guard(lock);
	*total = (size_t)setting("FAKECUDA_MEMORY", 8l << 30);
	*left = (size_t)used[device] < *total ? *total - used[device] : 0;
	return 0;
}
API int cuMemAlloc_v2(Pointer *p, size_t bytes)
{
	if (int rc = ready())
		return rc;
	if (bytes == 0)
		return INVALID_VALUE;
	std::lock_guard<std::mutex> guard(lock);
	if (used[device] + (long)bytes > setting("FAKECUDA_MEMORY", 8l << 30))
		return OUT_OF_MEMORY;
	void *memory = malloc(bytes);
	if (!memory)
		return OUT_OF_MEMORY;
	memset(memory, 0xff, bytes); // NaN: nothing may count on zeros
	*p = (Pointer)memory;
	allocations[*p] = {bytes, device};
	used[device] += (long)bytes;
	return 0;
}
API int cuMemFree_v2(Pointer p)
{
	std::lock_guard<std::mutex> guard(lock);
	auto a = allocations.find(p);
	if (a == allocations.end())
		return INVALID_VALUE;
	used[a->second.device] -= (long)a->second.bytes;
	allocations.erase(a);
	free((void *)p);
	return 0;
}
API int cuMemcpyHtoD_v2(Pointer to, const void *from, size_t bytes)
{
	if (int rc = ready())
		return rc;
	if (!mine(to, bytes))
		return INVALID_VALUE;
	memcpy((void *)to, from, bytes);
	return 0;
}
API int cuMemcpyDtoH_v2(void *to, Pointer from, size_t bytes)
{
	if (int rc = ready())
		return rc;
	if (!mine(from, bytes))
		return INVALID_VALUE;
	memcpy(to, (void *)from, bytes);
	return 0;
}
API int cuMemcpyDtoD_v2(Pointer to, Pointer from, size_t bytes)
{
	if (int rc = ready())
		return rc;
	if (!mine(to, bytes) || !mine(from, bytes))
		return INVALID_VALUE;
	memmove((void *)to, (void *)from, bytes);
	return 0;
}
API int cuMemcpyHtoDAsync_v2(Pointer to, const void *from, size_t bytes, void *) { return cuMemcpyHtoD_v2(to, from, bytes); }
API int cuMemcpyDtoHAsync_v2(void *to, Pointer from, size_t bytes, void *) { return cuMemcpyDtoH_v2(to, from, bytes); }
API int cuMemsetD8_v2(Pointer to, unsigned char v, size_t bytes)
{
	if (int rc = ready())
		return rc;
	if (!mine(to, bytes))
		return INVALID_VALUE;
	memset((void *)to, v, bytes);
	return 0;
}
API int cuMemHostAlloc(void **p, size_t bytes, unsigned)
{
	*p = malloc(bytes);
	return *p ? 0 : OUT_OF_MEMORY;
}
API int cuMemFreeHost(void *p)
{
	free(p);
	return 0;
}

API int cuModuleLoadData(void **m, const void *image)
{
	// PTX that a newer toolkit made
	if (setting("FAKECUDA_VERSION", 12040) < 12040)
		return UNSUPPORTED_PTX;
	*m = (void *)1;
	return strstr((const char *)image, ".version") ? 0 : INVALID_IMAGE;
}
API int cuModuleUnload(void *) { return 0; }
API int cuModuleGetFunction(void **f, void *, const char *name)
{
	for (const Function &k : functions)
		if (!strcmp(k.name, name)) {
			*f = (void *)&k;
			return 0;
		}
	return NOT_FOUND;
}
API int cuLaunchKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned, void *stream, void **arguments, void **)
{
	if (gx == 0 || gy == 0 || gz == 0 || gy > 65535 || gz > 65535 || bx * by * bz > 1024 || bx * by * bz == 0)
		return INVALID_VALUE;
	Launch l{(const Function *)f, {gx, gy, gz}, {bx, by, bz}, {}};
	for (int i = 0; i < l.f->arguments; i++)
		l.arguments.push_back(*(unsigned long long *)arguments[i]);
	Stream *s = (Stream *)stream;
	if (s && s->recording) {
		s->recording->launches.push_back(l);
		return 0;
	}
	return run(l);
}

API int cuStreamCreate(void **s, unsigned)
{
	*s = new Stream;
	return 0;
}
API int cuStreamDestroy_v2(void *s)
{
	delete (Stream *)s;
	return 0;
}
API int cuStreamSynchronize(void *) { return ready(); }
API int cuStreamWaitEvent(void *, void *, unsigned) { return ready(); }
API int cuStreamBeginCapture_v2(void *s, int)
{
	((Stream *)s)->recording = new Graph;
	return 0;
}
API int cuStreamEndCapture(void *s, void **g)
{
	*g = ((Stream *)s)->recording;
	((Stream *)s)->recording = nullptr;
	return 0;
}
API int cuGraphInstantiateWithFlags(void **x, void *g, unsigned long long)
{
	*x = new Graph(*(Graph *)g);
	return 0;
}
API int cuGraphLaunch(void *x, void *)
{
	for (const Launch &l : ((Graph *)x)->launches)
		if (int rc = run(l))
			return rc;
	return 0;
}
API int cuGraphDestroy(void *g)
{
	delete (Graph *)g;
	return 0;
}
API int cuGraphExecDestroy(void *x)
{
	delete (Graph *)x;
	return 0;
}
API int cuEventCreate(void **e, unsigned)
{
	*e = malloc(1);
	return 0;
}
API int cuEventDestroy_v2(void *e)
{
	free(e);
	return 0;
}
API int cuEventRecord(void *, void *) { return ready(); }
API int cuEventSynchronize(void *) { return ready(); }
