# One interface target carries how everything here is compiled.
include(CheckCSourceCompiles)

if(CMAKE_SIZEOF_VOID_P LESS 8)
  message(FATAL_ERROR "visara-gateway is for 64-bit systems: this compiler makes 32-bit programs, in which counters of 64 bits "
    "are not written at once and the sizes of caches and responses do not fit. Use a 64-bit compiler (without -m32)")
endif()
# A packager's flags, or the compiler's own defaults, may have chosen a level already: a second definition is an error.
string(TOUPPER "${CMAKE_BUILD_TYPE}" type)
set(CMAKE_REQUIRED_FLAGS "${CMAKE_C_FLAGS} ${CMAKE_C_FLAGS_${type}}")
check_c_source_compiles("
#ifdef _FORTIFY_SOURCE
#error chosen already
#endif
#ifndef __OPTIMIZE__
#error nothing is checked without optimization
#endif
int main(void) { return 0; }" GW_FORTIFIES)
unset(CMAKE_REQUIRED_FLAGS)

add_library(gw_compiler INTERFACE)
target_compile_definitions(gw_compiler INTERFACE _GNU_SOURCE)
target_compile_options(gw_compiler INTERFACE
  -Wall -Wextra $<$<BOOL:${GW_WERROR}>:-Werror> -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion -Wno-sign-conversion -Wundef
  -Wpointer-arith -Wcast-qual -Wwrite-strings -Wvla -Wformat=2 -Wimplicit-fallthrough
  -fno-strict-aliasing -fno-common -fstack-protector-strong -fPIE)
target_link_options(gw_compiler INTERFACE -pie -Wl,-z,relro,-z,now)
if(GW_CHECKS)
  target_compile_definitions(gw_compiler INTERFACE GW_CHECKS=1)
endif()
if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug" AND NOT GW_SANITIZE AND GW_FORTIFIES)
  target_compile_definitions(gw_compiler INTERFACE _FORTIFY_SOURCE=2)
endif()
if(GW_SANITIZE STREQUAL "address")
  target_compile_options(gw_compiler INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
  target_link_options(gw_compiler INTERFACE -fsanitize=address,undefined)
elseif(GW_SANITIZE STREQUAL "thread")
  target_compile_options(gw_compiler INTERFACE -fsanitize=thread -fno-omit-frame-pointer -g)
  target_link_options(gw_compiler INTERFACE -fsanitize=thread)
elseif(GW_SANITIZE)
  message(FATAL_ERROR "GW_SANITIZE is '${GW_SANITIZE}': expected address, thread or nothing")
endif()
if(GW_COVERAGE)
  target_compile_options(gw_compiler INTERFACE --coverage -O0 -g)
  target_link_options(gw_compiler INTERFACE --coverage)
endif()
