// Runs the tests whose names begin as the second argument does; the first is the peer's executable.
#include "rig.hpp"

int main(int count, char** words) {
  if (count < 2) {
    std::cerr << "usage: manus_tests PEER [PREFIX]" << std::endl;
    return 2;
  }
  rig::peer() = words[1];
  return check::run(count > 2 ? words[2] : "") == 0 ? 0 : 1;
}
