// Lets a C++ compiler build a .cu file: a fiber for each CUDA thread of a block, blocks one after another. Fibers change at
// __syncthreads() alone. Everything is local to the calling thread, so that devices run side by side.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __shared__ static thread_local
#define __launch_bounds__(...)

struct dim3 {
	unsigned x = 1, y = 1, z = 1;
};

namespace fake {

constexpr size_t stack_bytes = 32 << 10;

// Switches stacks: keeps the registers that a function must keep on the present stack and its end in *from, and goes on where another
// stack was left.
extern "C" void fake_switch_stack(void **from, void *to);
#if defined(__x86_64__)
__asm__(".text\n.type fake_switch_stack,@function\nfake_switch_stack:\n"
        "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
        "mov %rsp, (%rdi)\nmov %rsi, %rsp\n"
        "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n.size fake_switch_stack,.-fake_switch_stack\n");
constexpr int kept_words = 8, entry_word = 6; // six registers, the return address, and one for the alignment of the stack
#elif defined(__aarch64__)
__asm__(".text\n.type fake_switch_stack,%function\nfake_switch_stack:\nsub sp, sp, #160\n"
        "stp x19, x20, [sp]\nstp x21, x22, [sp, #16]\nstp x23, x24, [sp, #32]\nstp x25, x26, [sp, #48]\nstp x27, x28, [sp, #64]\nstp x29, x30, [sp, #80]\n"
        "stp d8, d9, [sp, #96]\nstp d10, d11, [sp, #112]\nstp d12, d13, [sp, #128]\nstp d14, d15, [sp, #144]\n"
        "mov x9, sp\nstr x9, [x0]\nmov sp, x1\n"
        "ldp x19, x20, [sp]\nldp x21, x22, [sp, #16]\nldp x23, x24, [sp, #32]\nldp x25, x26, [sp, #48]\nldp x27, x28, [sp, #64]\nldp x29, x30, [sp, #80]\n"
        "ldp d8, d9, [sp, #96]\nldp d10, d11, [sp, #112]\nldp d12, d13, [sp, #128]\nldp d14, d15, [sp, #144]\n"
        "add sp, sp, #160\nret\n.size fake_switch_stack,.-fake_switch_stack\n");
constexpr int kept_words = 20, entry_word = 11;
#else
#error "no switching of stacks for this architecture"
#endif

struct Fiber {
	char *stack = nullptr;
	void *at = nullptr; // the end of its stack when it was left
	bool done = false;
	dim3 thread;
};

struct State {
	dim3 thread_index, block_index, block_size, grid_size;
	std::vector<Fiber> fibers;
	Fiber *current = nullptr;
	void *scheduler = nullptr; // the end of its stack when a fiber's turn began
	void (*body)(void **) = nullptr;
	void **arguments = nullptr;
};

// The state of the calling fiber's thread stands where its stack begins; all stacks begin at multiples of their size. A variable of the thread
// would cost a call at each use.
inline State *state() { return *(State **)((uintptr_t)__builtin_frame_address(0) & ~(stack_bytes - 1)); }

// Leaves the fiber until its turn comes again.
inline void leave()
{
	State *s = state();
	fake_switch_stack(&s->current->at, s->scheduler);
}

inline void enter()
{
	for (;;) { // a fiber serves block after block
		State *s = state();
		s->body(s->arguments);
		s->current->done = true;
		leave();
	}
}

inline void resume(State *s, Fiber &f)
{
	s->current = &f;
	s->thread_index = f.thread;
	if (!f.stack) {
		f.stack = (char *)aligned_alloc(stack_bytes, stack_bytes);
		*(State **)f.stack = s;
		void **end = (void **)(f.stack + stack_bytes) - kept_words;
		memset(end, 0, kept_words * sizeof *end);
		end[entry_word] = (void *)enter;
		f.at = end;
	}
	fake_switch_stack(&s->scheduler, f.at);
}

inline void launch(void (*kernel)(void **), dim3 grid, dim3 block, void **args)
{
	static thread_local State *s = new State;
	s->body = kernel;
	s->arguments = args;
	s->grid_size = grid;
	s->block_size = block;
	const unsigned threads = block.x * block.y * block.z;
	if (s->fibers.size() < threads)
		s->fibers.resize(threads);
	for (unsigned z = 0; z < grid.z; z++)
		for (unsigned y = 0; y < grid.y; y++)
			for (unsigned x = 0; x < grid.x; x++) {
				s->block_index = {x, y, z};
				for (unsigned i = 0; i < threads; i++) {
					s->fibers[i].done = false;
					s->fibers[i].thread = {i % block.x, i / block.x % block.y, i / block.x / block.y};
				}
				for (bool live = true; live;) {
					live = false;
					for (unsigned i = 0; i < threads; i++)
						if (!s->fibers[i].done) {
							resume(s, s->fibers[i]);
							live |= !s->fibers[i].done;
						}
				}
			}
}

} // namespace fake

#define threadIdx fake::state()->thread_index
#define blockIdx fake::state()->block_index
#define blockDim fake::state()->block_size
#define gridDim fake::state()->grid_size

inline void __syncthreads() { fake::leave(); }

inline unsigned __float_as_uint(float v)
{
	unsigned bits;
	memcpy(&bits, &v, sizeof bits);
	return bits;
}

inline float __uint_as_float(unsigned bits)
{
	float v;
	memcpy(&v, &bits, sizeof v);
	return v;
}

namespace fake {

// A kernel that takes its arguments as the driver does: an array of their addresses.
template <class... A, size_t... I> void call(void (*f)(A...), void **p, std::index_sequence<I...>) { f(*(std::decay_t<A> *)p[I]...); }
template <auto F> struct Kernel;
template <class... A, void (*F)(A...)> struct Kernel<F> {
	static constexpr int count = sizeof...(A);
	static void run(void **p) { call(F, p, std::index_sequence_for<A...>{}); }
};

} // namespace fake
