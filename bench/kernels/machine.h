// What one core of the machine can do, measured.

// Processor time of the calling thread.
double thread_seconds(void);

const char *compiler(void);

// Elements a second that become a·b + c in vectors of the given bytes, from n rounds.
double multiply_adds(int bytes, long n);

// Cells a second for which before = 2 now - before + m: 12 bytes read and 4 written, as in a time step that needs no neighbours.
double updates(int bytes, long cells, int repeats);
