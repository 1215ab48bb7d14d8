// Files by plain system calls: the half of Io that epoll and io_uring share, and the one place that
// turns errno into a Code. Every call restarts on EINTR and finishes short reads and writes.
#pragma once

#include <string>
#include <vector>

#include "io.h"

namespace ottla::posix {

// What a caller branches on, from errno.
Code code_of(int error);
// The failure that errno says; `where` is static.
Status failure(const char* where);

// The device that holds the file; 0 when that cannot be said.
uint64_t disk_of(Handle file);

// How many descriptors the process may have; 0 when that cannot be said.
size_t descriptors_max();

// As the functions of Io with the same names.
Status open(const std::string& path, OpenMode mode, Handle* file);
Status close(Handle file);
Status read(Handle file, void* into, size_t bytes, int64_t position, size_t* got);
// Without waiting for a disk: kWouldBlock when some of it is not in memory. Waits where the file
// system cannot tell.
Status read_ready(Handle file, void* into, size_t bytes, int64_t position, size_t* got);
int64_t ready_bytes(Handle file, int64_t position, int64_t bytes);
void prefetch(Handle file, int64_t position, int64_t bytes);
Status duplicate(Handle file, Handle* copy);
Status write(Handle file, const void* from, size_t bytes, int64_t position);
Status write_gathered(Handle file, const iovec* iov, int count, int64_t position);
Status sync(Handle file);
Status truncate(Handle file, int64_t bytes);
Status set_modified(Handle file, int64_t modified_ms);
Status allocate(Handle file, int64_t position, int64_t bytes);
Status file_bytes(Handle file, int64_t* bytes);
Status stat(const std::string& path, FileInfo* info);
Status list(const std::string& directory, std::vector<std::string>* names);
Status make_directory(const std::string& path);
Status rename(const std::string& from, const std::string& to);
Status remove(const std::string& path);
Status sync_directory(const std::string& path);
// kInvalid before Linux 5.8, whose syncfs does not tell of writes that failed.
Status open_disk(const std::string& directory, Handle* disk);
Status sync_disk(Handle disk);
Status lock_file(const std::string& path, Handle* file);

}  // namespace ottla::posix
