#include "base/thread.h"

#include <pthread.h>

#include <string>

namespace nexus {

void NameThisThread(const char* name) {
  pthread_setname_np(pthread_self(), std::string(name).substr(0, 15).c_str());
}

}  // namespace nexus
