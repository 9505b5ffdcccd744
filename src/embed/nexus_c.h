/* Nexus for C and for every language that can call C. JSON in, JSON out, opaque handles.
 *
 * Ownership: a handle belongs to who created it and is given back with its destroy function; a
 * char* that a function returns is given back with nexus_free_string. Strings that are passed in
 * are UTF-8, end with a zero byte, and are copied. Errors: functions that can fail return NULL or a
 * negative number; nexus_last_error tells why, on the same thread, until the next call there. No
 * exception leaves the library. Threads: a sandbox and its programs may be used from any number of
 * threads at once. Destroying one while another thread uses it is an error of the caller; a program
 * may outlive its sandbox's handle only to be destroyed. Stability: functions are added, never
 * changed. Structures begin with their size, so that a newer library knows an older caller.
 */
#pragma once
#ifndef NEXUS_C_H_
#define NEXUS_C_H_

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NEXUS_C_ABI_VERSION 1

typedef struct nexus_sandbox nexus_sandbox;
typedef struct nexus_program nexus_program;
typedef struct nexus_answer nexus_answer;

typedef struct nexus_options {
  size_t size; /* sizeof(nexus_options) */
  const char*
      guest_path; /* nexus_guest.so; NULL: looked for beside the program and in NEXUS_GUEST */
  const char* cache_dir; /* where compiled programs are kept; NULL: in memory only */
} nexus_options;

/* "0.1.0". Never freed. */
const char* nexus_version(void);

/* What the last failure on this thread was, as a JSON object {code, message, ...}; "" when there
 * was none. Good until the next call on this thread. */
const char* nexus_last_error(void);

/* options may be NULL. NULL on failure. */
nexus_sandbox* nexus_sandbox_create(const nexus_options* options);
void nexus_sandbox_destroy(nexus_sandbox* sandbox);

/* Compiles a program: a handler body or a module. A name that ends in .ts or .mts means TypeScript,
 * whose types are removed. NULL on failure; the error has the place in the source. */
nexus_program* nexus_program_load(nexus_sandbox* sandbox, const char* name, const char* source);
void nexus_program_destroy(nexus_program* program);

/* Runs a program once, in a fresh instance, to its end. `request` is a JSON object or NULL:
 *   {"args": {...}, "state": {...}, "capabilities": ["state:read:*", ...],
 *    "limits": {"wall": "100ms"}, "seed": 7}
 * Nothing is granted that is not named. The answer is the result as every interface of Nexus gives
 * it (status, returnValue, stateMutations, ..., error, metrics) and, when there was a "state", the
 * state after the run. A program that fails is an answer with status "error", not a NULL. NULL: the
 * request is malformed. */
char* nexus_run_json(nexus_sandbox* sandbox, nexus_program* program, const char* request);
void nexus_free_string(char* text);

/* Called for `await $ext.NAME.METHOD(...args)`, on the thread of the run. It gives exactly one
 * answer, before it returns, with one of the two functions below; otherwise the call fails. */
typedef void (*nexus_call_function)(void* user, const char* method, const char* args_json,
                                    nexus_answer* answer);
void nexus_answer_value(nexus_answer* answer, const char* json);
void nexus_answer_error(nexus_answer* answer, const char* message);

/* Offers an extension of the embedding program; `methods` is a comma list. Runs need the capability
 * "ext:NAME" or "ext:NAME.METHOD". `user` must outlive the sandbox. 0, or -1 on failure. Not while
 * runs are under way. */
int nexus_extension_add(nexus_sandbox* sandbox, const char* name, const char* methods,
                        nexus_call_function function, void* user);

#ifdef __cplusplus
}
#endif

#endif /* NEXUS_C_H_ */
