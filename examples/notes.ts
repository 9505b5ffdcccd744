// Keeps notes between runs: the texts in $ext.kv, the figures in $state.
//
//   nexus run examples/notes.ts --kv notes.db --cap ext:kv --args '{"add": "buy milk"}'
//   nexus run examples/notes.ts --kv notes.db --cap ext:kv --args '{"find": "milk"}'
//   nexus run examples/notes.ts --kv notes.db --cap ext:kv --state @stats.json --save-state stats.json

interface Note {
  text: string;
  at: Date;
}

export default async function notes({ args, state, ext, time }: Context<{ add?: string; find?: string; remove?: string }>) {
  if (args.add !== undefined) {
    const id = String(await ext.kv.increment('next')).padStart(6, '0');
    await ext.kv.set(`note/${id}`, { text: args.add, at: new Date(time.now()) } satisfies Note);
  }
  if (args.remove !== undefined && !(await ext.kv.delete(`note/${args.remove}`))) {
    throw new Error(`there is no note ${args.remove}`);
  }
  const stored: { key: string; value: Note }[] = await ext.kv.list({ prefix: 'note/', values: true });
  const found = stored
    .filter(({ value }) => args.find === undefined || value.text.includes(args.find))
    .map(({ key, value }) => ({ id: key.slice('note/'.length), text: value.text, at: value.at }));
  try {
    state.runs = (state.runs ?? 0) + 1;
    state.notes = stored.length;
  } catch (error) {
    // Without --state there is no right to it; the notes work all the same.
    if ((error as Error).name !== 'PermissionDenied') throw error;
  }
  return found;
}
