// nvrtc LIBRARY SOURCE OPTION...: prints the PTX that NVRTC makes of a source.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static void *library;

static void *function(const char *name)
{
	void *f = dlsym(library, name);
	if (!f) {
		fprintf(stderr, "nvrtc: the library has no %s\n", name);
		exit(1);
	}
	return f;
}

int main(int count, char **arguments)
{
	if (count < 3) {
		fprintf(stderr, "usage: nvrtc LIBRARY SOURCE OPTION...\n");
		return 2;
	}
	library = dlopen(arguments[1], RTLD_NOW);
	if (!library) {
		fprintf(stderr, "nvrtc: %s\n", dlerror());
		return 1;
	}
	FILE *file = fopen(arguments[2], "r");
	static char source[1 << 20];
	if (!file || fread(source, 1, sizeof source - 1, file) == 0) {
		perror(arguments[2]);
		return 1;
	}
	void *program;
	size_t size;
	int (*create)(void **, const char *, const char *, int, void *, void *) = function("nvrtcCreateProgram");
	int (*compile)(void *, int, char **) = function("nvrtcCompileProgram");
	int (*log_size)(void *, size_t *) = function("nvrtcGetProgramLogSize"), (*log)(void *, char *) = function("nvrtcGetProgramLog");
	int (*ptx_size)(void *, size_t *) = function("nvrtcGetPTXSize"), (*ptx)(void *, char *) = function("nvrtcGetPTX");
	if (create(&program, source, arguments[2], 0, NULL, NULL)) {
		fprintf(stderr, "nvrtc: no program\n");
		return 1;
	}
	const int result = compile(program, count - 3, arguments + 3);
	log_size(program, &size);
	char *text = malloc(size + 1);
	log(program, text);
	if (result || size > 1)
		fprintf(stderr, "%s\n", text);
	if (result)
		return 1;
	ptx_size(program, &size);
	text = malloc(size + 1);
	ptx(program, text);
	fwrite(text, 1, size - 1, stdout); // without the final zero
	return 0;
}
