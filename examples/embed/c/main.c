/* Runs a program that calls back into this one, and prints the whole result. */
#include <nexus/nexus_c.h>

#include <stdio.h>
#include <string.h>

static void Greet(void* user, const char* method, const char* args_json, nexus_answer* answer) {
  (void)user;
  (void)args_json;
  if (strcmp(method, "greet") == 0) {
    nexus_answer_value(answer, "\"hello from C\"");
  } else {
    nexus_answer_error(answer, "no such method");
  }
}

int main(void) {
  const nexus_options options = {sizeof(options), NEXUS_GUEST_PATH, NULL};
  nexus_sandbox* sandbox = nexus_sandbox_create(&options);
  if (sandbox == NULL) return fprintf(stderr, "%s\n", nexus_last_error()), 1;
  if (nexus_extension_add(sandbox, "host", "greet", Greet, NULL) != 0) {
    return fprintf(stderr, "%s\n", nexus_last_error()), 1;
  }
  nexus_program* program = nexus_program_load(
      sandbox, "greet.ts",
      "const words: string = await $ext.host.greet(); return { words, n: $args.n * 2 };");
  if (program == NULL) return fprintf(stderr, "%s\n", nexus_last_error()), 1;
  char* result = nexus_run_json(sandbox, program,
                                "{\"args\": {\"n\": 21}, \"capabilities\": [\"ext:host.greet\"]}");
  if (result == NULL) return fprintf(stderr, "%s\n", nexus_last_error()), 1;
  puts(result);
  const int failed = strstr(result, "\"status\":\"success\"") == NULL;
  nexus_free_string(result);
  nexus_program_destroy(program);
  nexus_sandbox_destroy(sandbox);
  return failed;
}
