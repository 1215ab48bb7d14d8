// Thread: what the kernel is told of the thread that calls. Wishes: where they are not granted, or
// not known, nothing changes.
#pragma once

namespace ottla {

// As `top -H` and `perf` show it; 15 bytes of it.
void name_thread(const char* name);

// Work that others wait for in microseconds: where threads outnumber cores it comes before those
// that may run for milliseconds on end, and gets no more than its share (Linux 6.12 and newer, a
// slice of its own). Threads it starts have the usual slice.
void ask_for_short_slices();

// Work that nobody waits for in microseconds (nice): of a core that is wanted by others as well it
// takes a tenth of what they do, all of one that is idle.
void yield_to_others();

}  // namespace ottla
