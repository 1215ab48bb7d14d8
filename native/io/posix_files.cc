// See posix_files.h. Descriptors are opened close-on-exec; new files are 0644, directories 0755,
// less umask.
#include "posix_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "../base/assert.h"

namespace ottla::posix {

namespace {

constexpr int kIovMax = IOV_MAX;

template <typename Call>
auto restarting(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

int open_flags(OpenMode mode) {
  switch (mode) {
    case OpenMode::kRead:
      return O_RDONLY;
    case OpenMode::kReadWrite:
      return O_RDWR;
    case OpenMode::kReadWriteCreate:
      return O_RDWR | O_CREAT;
    case OpenMode::kCreateExclusive:
      return O_RDWR | O_CREAT | O_EXCL;
    case OpenMode::kTruncate:
      return O_RDWR | O_CREAT | O_TRUNC;
  }
  return O_RDONLY;
}

// The rest of a gathered write of which `done` bytes were written.
Status write_rest(Handle file, const iovec* iov, int count, int64_t position, size_t done) {
  position += static_cast<int64_t>(done);
  for (int i = 0; i < count; i += 1) {
    if (done >= iov[i].iov_len) {
      done -= iov[i].iov_len;
      continue;
    }
    const size_t left = iov[i].iov_len - done;
    OTTLA_TRY(write(file, static_cast<const uint8_t*>(iov[i].iov_base) + done, left, position));
    position += static_cast<int64_t>(left);
    done = 0;
  }
  return Status::good();
}

}  // namespace

Code code_of(int error) {
  switch (error) {
    case 0:
      return Code::kOk;
    case ENOENT:
    case ENOTDIR:
      return Code::kNotFound;
    case EEXIST:
    case ENOTEMPTY:
      return Code::kExists;
    case ENOSPC:
    case EDQUOT:
      return Code::kNoSpace;
    case EAGAIN:
      return Code::kWouldBlock;
    case EPIPE:
    case ECONNRESET:
    case ECONNREFUSED:
    case ECONNABORTED:
    case ENOTCONN:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return Code::kClosed;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EADDRINUSE:
      return Code::kBusy;
    case EFBIG:
      return Code::kTooLarge;
    case EINVAL:
    case EACCES:
    case EPERM:
    case EISDIR:
    case EBADF:
    case ENAMETOOLONG:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
      return Code::kInvalid;
    default:
      return Code::kIo;
  }
}

Status failure(const char* where) {
  const int error = errno;
  return Status::fail(code_of(error), where, error);
}

size_t descriptors_max() {
  struct rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  return static_cast<size_t>(std::min<rlim_t>(limit.rlim_cur, INT_MAX));
}

// Without the time of the last read, where the file is ours: behind an append each read would have
// that written to the disk, and nobody asks for it.
Status open(const std::string& path, OpenMode mode, Handle* file) {
  const int flags = open_flags(mode) | O_CLOEXEC;
  int opened = restarting([&] { return ::open(path.c_str(), flags | O_NOATIME, 0644); });
  if (opened < 0 && errno == EPERM) {
    opened = restarting([&] { return ::open(path.c_str(), flags, 0644); });
  }
  if (opened < 0) return failure("open");
  struct stat found;
  if (mode == OpenMode::kRead && ::fstat(opened, &found) == 0 && S_ISDIR(found.st_mode)) {
    ::close(opened);  // for writing the kernel refuses it by itself
    return Status::fail(Code::kInvalid, "open", EISDIR);
  }
  *file = opened;
  return Status::good();
}

Status close(Handle file) {
  // Linux frees the descriptor even when it reports EINTR: never again.
  return ::close(file) == 0 || errno == EINTR ? Status::good() : failure("close");
}

Status read(Handle file, void* into, size_t bytes, int64_t position, size_t* got) {
  *got = 0;
  while (*got < bytes) {
    const ssize_t result = restarting([&] {
      return ::pread(file, static_cast<uint8_t*>(into) + *got, bytes - *got,
                     position + static_cast<int64_t>(*got));
    });
    if (result < 0) return failure("pread");
    if (result == 0) break;
    *got += static_cast<size_t>(result);
  }
  return Status::good();
}

Status read_ready(Handle file, void* into, size_t bytes, int64_t position, size_t* got) {
  *got = 0;
  while (*got < bytes) {
    const iovec piece{static_cast<uint8_t*>(into) + *got, bytes - *got};
    const ssize_t result = restarting([&] {
      return ::preadv2(file, &piece, 1, position + static_cast<int64_t>(*got), RWF_NOWAIT);
    });
    if (result < 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) {
      return read(file, into, bytes, position, got);
    }
    if (result < 0) return failure("preadv2");
    if (result == 0) break;
    *got += static_cast<size_t>(result);
  }
  return Status::good();
}

// mincore says of each page whether it can be read at once; cachestat would count pages that are
// still on their way. Nothing is touched through the mapping.
int64_t ready_bytes(Handle file, int64_t position, int64_t bytes) {
  constexpr int64_t kPage = 4096, kPagesMax = 256;
  const int64_t begin = position - position % kPage;
  const int64_t looked_at = std::min(position + bytes - begin, kPage * kPagesMax);
  void* mapped =
      ::mmap(nullptr, static_cast<size_t>(looked_at), PROT_NONE, MAP_SHARED, file, begin);
  if (mapped == MAP_FAILED) return bytes;
  unsigned char pages[kPagesMax];
  const bool is_told = ::mincore(mapped, static_cast<size_t>(looked_at), pages) == 0;
  (void)::munmap(mapped, static_cast<size_t>(looked_at));
  if (!is_told) return bytes;
  int64_t page = 0;
  while (page * kPage < looked_at && (pages[page] & 1) != 0) page += 1;
  return std::clamp<int64_t>(begin + page * kPage - position, 0,
                             std::min(bytes, begin + looked_at - position));
}

void prefetch(Handle file, int64_t position, int64_t bytes) {
  (void)::posix_fadvise(file, position, bytes, POSIX_FADV_WILLNEED);
}

Status duplicate(Handle file, Handle* copy) {
  *copy = ::fcntl(file, F_DUPFD_CLOEXEC, 0);
  return *copy >= 0 ? Status::good() : failure("fcntl");
}

Status write(Handle file, const void* from, size_t bytes, int64_t position) {
  for (size_t done = 0; done < bytes;) {
    const ssize_t result = restarting([&] {
      return ::pwrite(file, static_cast<const uint8_t*>(from) + done, bytes - done,
                      position + static_cast<int64_t>(done));
    });
    if (result < 0) return failure("pwrite");
    if (result == 0) return Status::fail(Code::kIo, "pwrite");
    done += static_cast<size_t>(result);
  }
  return Status::good();
}

Status write_gathered(Handle file, const iovec* iov, int count, int64_t position) {
  for (int first = 0; first < count; first += kIovMax) {
    const int now = std::min(count - first, kIovMax);
    size_t bytes = 0;
    for (int i = 0; i < now; i += 1) bytes += iov[first + i].iov_len;
    const ssize_t result = restarting([&] { return ::pwritev(file, iov + first, now, position); });
    if (result < 0) return failure("pwritev");
    const size_t done = static_cast<size_t>(result);
    if (done < bytes) OTTLA_TRY(write_rest(file, iov + first, now, position, done));
    position += static_cast<int64_t>(bytes);
  }
  return Status::good();
}

Status sync(Handle file) {
  return restarting([&] { return ::fdatasync(file); }) == 0 ? Status::good() : failure("fdatasync");
}

Status truncate(Handle file, int64_t bytes) {
  return restarting([&] { return ::ftruncate(file, bytes); }) == 0 ? Status::good()
                                                                   : failure("ftruncate");
}

Status allocate(Handle file, int64_t position, int64_t bytes) {
  if (restarting([&] { return ::fallocate(file, FALLOC_FL_KEEP_SIZE, position, bytes); }) == 0) {
    return Status::good();
  }
  // A file system without it: writes allocate as they come.
  if (errno == EOPNOTSUPP || errno == ENOSYS) return Status::good();
  return failure("fallocate");
}

Status set_modified(Handle file, int64_t modified_ms) {
  const timespec modified{modified_ms / 1000, modified_ms % 1000 * 1'000'000};
  const timespec times[2] = {{0, UTIME_OMIT}, modified};
  return ::futimens(file, times) == 0 ? Status::good() : failure("futimens");
}

Status file_bytes(Handle file, int64_t* bytes) {
  struct stat found;
  if (::fstat(file, &found) != 0) return failure("fstat");
  *bytes = found.st_size;
  return Status::good();
}

uint64_t disk_of(Handle file) {
  struct stat found;
  return ::fstat(file, &found) == 0 ? static_cast<uint64_t>(found.st_dev) : 0;
}

Status stat(const std::string& path, FileInfo* info) {
  struct stat found;
  if (::stat(path.c_str(), &found) != 0) return failure("stat");
  info->bytes = found.st_size;
  info->modified_ms = int64_t{found.st_mtim.tv_sec} * 1000 + found.st_mtim.tv_nsec / 1000000;
  info->is_directory = S_ISDIR(found.st_mode);
  return Status::good();
}

Status list(const std::string& directory, std::vector<std::string>* names) {
  names->clear();
  DIR* opened = ::opendir(directory.c_str());
  if (opened == nullptr) return failure("opendir");
  errno = 0;
  while (const dirent* entry = ::readdir(opened)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names->push_back(name);
    errno = 0;
  }
  const Status status = errno == 0 ? Status::good() : failure("readdir");
  ::closedir(opened);
  std::sort(names->begin(), names->end());
  return status;
}

Status make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0) return Status::good();
  const Status status = failure("mkdir");
  FileInfo info;
  const bool exists = status.code == Code::kExists && stat(path, &info).ok() && info.is_directory;
  return exists ? Status::good() : status;
}

Status rename(const std::string& from, const std::string& to) {
  return ::rename(from.c_str(), to.c_str()) == 0 ? Status::good() : failure("rename");
}

Status remove(const std::string& path) {
  if (::unlink(path.c_str()) == 0) return Status::good();
  if (errno != EISDIR) return failure("unlink");
  return ::rmdir(path.c_str()) == 0 ? Status::good() : failure("rmdir");
}

namespace {

// Linux 5.8 and newer.
bool tells_of_failed_writes() {
  utsname system;
  int major = 0, minor = 0;
  if (::uname(&system) != 0 || std::sscanf(system.release, "%d.%d", &major, &minor) != 2) {
    return false;
  }
  return major > 5 || (major == 5 && minor >= 8);
}

}  // namespace

Status open_disk(const std::string& directory, Handle* disk) {
  if (!tells_of_failed_writes()) return Status::fail(Code::kInvalid, "syncfs", ENOSYS);
  *disk = restarting([&] { return ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  return *disk >= 0 ? Status::good() : failure("open directory");
}

Status sync_disk(Handle disk) {
  return restarting([&] { return ::syncfs(disk); }) == 0 ? Status::good() : failure("syncfs");
}

Status sync_directory(const std::string& path) {
  const int opened =
      restarting([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (opened < 0) return failure("open directory");
  const bool synced = restarting([&] { return ::fsync(opened); }) == 0;
  // EINVAL: a file system whose directories need no fsync.
  const Status status = synced || errno == EINVAL ? Status::good() : failure("fsync directory");
  ::close(opened);
  return status;
}

// Java's FileChannel.lock is a POSIX record lock on the whole file. A lock of the open file
// description conflicts with it, and unlike it also with a second broker in this process, and is
// not lost when some other descriptor of the file is closed.
Status lock_file(const std::string& path, Handle* file) {
  Handle opened = kNoHandle;
  OTTLA_TRY(open(path, OpenMode::kReadWriteCreate, &opened));
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (restarting([&] { return ::fcntl(opened, F_OFD_SETLK, &lock); }) == 0) {
    *file = opened;
    return Status::good();
  }
  const int error = errno;
  ::close(opened);
  const bool is_held = error == EAGAIN || error == EACCES;
  return Status::fail(is_held ? Code::kBusy : code_of(error), "lock", error);
}

}  // namespace ottla::posix
