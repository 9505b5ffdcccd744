// Tries what it was not allowed to do. Run without --cap it ends with exit code 3 and says which --cap
// would allow it; what it had done before is still reported.
//
//   nexus run examples/denied.ts
//   nexus run examples/denied.ts --state '{"secret": 42}'        (now the state is its own)

export default async function denied({ state, ext, log }: Context) {
  const outcome: Record<string, string> = {};
  try {
    await ext.http.get('https://example.com/');
    outcome.http = 'allowed';
  } catch (error) {
    // A program may catch a denial and go on; the host has it on record.
    outcome.http = `${(error as Error).name}: ${(error as Error).message}`;
  }
  log.info(outcome.http);
  outcome.secret = String(state.secret); // This one is not caught.
  return outcome;
}
