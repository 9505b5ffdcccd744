// One panel: its view, its tools as forms, its state, its runs and its log, all live.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { applyMutation, PanelSocket, request, type ArgInfo, type Definition, type LogLine, type RunRecord, type RunResult, type ToolInfo, type ViewCommand } from './api';
import { StatusBadge } from './badge';
import { LiveContext, View } from './view';

const TABS = ['View', 'Tools', 'State', 'Runs', 'Log'] as const;

export function PanelPage({ id, toast }: { id: string; toast: (text: string, level?: string) => void }) {
  const [definition, setDefinition] = useState<Definition | null>(null);
  const [state, setState] = useState<Record<string, unknown>>({});
  const [computed, setComputed] = useState<Record<string, unknown>>({});
  const [changed, setChanged] = useState<Record<string, number>>({});
  const [runs, setRuns] = useState<RunRecord[]>([]);
  const [logs, setLogs] = useState<LogLine[]>([]);
  const [overrides, setOverrides] = useState<Record<string, Record<string, unknown>>>({});
  const [online, setOnline] = useState(false);
  const [problem, setProblem] = useState('');
  const [tab, setTab] = useState<(typeof TABS)[number]>('View');
  const pending = useRef<Record<string, ReturnType<typeof setTimeout>>>({});

  useEffect(() => {
    let gone = false;
    const path = `/panels/${encodeURIComponent(id)}`;
    request<{ definition: Definition }>('GET', path).then((info) => { if (!gone) setDefinition(info.definition); }, (e) => setProblem(e.message));
    request<{ runs: RunRecord[] }>('GET', `${path}/runs?limit=50`).then((r) => { if (!gone) setRuns(r.runs); }, () => {});
    request<{ logs: LogLine[] }>('GET', `${path}/logs?limit=200`).then((r) => { if (!gone) setLogs(r.logs.reverse()); }, () => {});
    const socket = new PanelSocket(id, onMessage, setOnline);
    return () => { gone = true; socket.close(); };
  }, [id]);

  function onMessage(message: any) {
    switch (message.type) {
      case 'CONNECTED':
        if (message.resumed) break;
        setState(message.state ?? {});
        setComputed(message.computed ?? {});
        break;
      case 'PATCH':
        setState((before) => (message.mutations ?? []).reduce(applyMutation, before));
        setComputed((before) => ({ ...before, ...message.computed }));
        setChanged((before) => ({ ...before, ...Object.fromEntries([...(message.mutations ?? []).map((m: any) => m.key), ...Object.keys(message.computed ?? {})].map((k) => [k, Date.now()])) }));
        break;
      case 'EVENT': onEvent(message); break;
      case 'VIEW': (message.commands ?? []).forEach(onCommand); break;
    }
  }
  function onEvent({ name, payload }: { name: string; payload: any }) {
    if (name === 'system:log') return setLogs((all) => [...all, payload].slice(-500));
    if (name === 'system:run') return setRuns((all) => [payload as RunRecord, ...all.filter((r) => r.runId !== payload.runId)].slice(0, 100));
    if (name === 'toast') return toast(typeof payload === 'string' ? payload : payload?.message ?? '', payload?.level ?? payload?.type);
    if (name === 'system:error') toast(payload?.message ?? 'a run failed', 'error');
  }
  function onCommand(command: ViewCommand) {
    const element = document.getElementById(command.componentId);
    if (command.type === 'focus') element?.focus();
    else if (command.type === 'scrollTo') {
      const position = command.args?.position;
      if (element) element.scrollTop = position === 'end' || position === 'bottom' ? element.scrollHeight : Number(position) || 0;
      element?.scrollIntoView({ block: 'nearest' });
    } else if (command.type === 'setProp') {
      setOverrides((all) => ({ ...all, [command.componentId]: { ...all[command.componentId], [String(command.args?.prop ?? command.args?.name)]: command.args?.value } }));
    } else if (command.type === 'setFilter') {
      setOverrides((all) => ({ ...all, [command.componentId]: { ...all[command.componentId], filter: command.args?.value } }));
    }
  }

  const call = async (tool: string, args: unknown): Promise<RunResult> => {
    const result = await request<RunResult>('POST', `/panels/${encodeURIComponent(id)}/trigger/${encodeURIComponent(tool)}`, args);
    return result;
  };
  const live = useMemo(() => ({
    values: { ...state, ...computed },
    tools: definition?.tools ?? [],
    overrides,
    call: (tool: string, args: Record<string, unknown>) => {
      call(tool, args).then((r) => { if (r.error) toast(r.error.message, 'error'); }, (e) => toast(e.message, 'error'));
    },
    // One write for what is typed in a row.
    write: (key: string, value: unknown) => {
      setState((before) => ({ ...before, [key]: value }));
      clearTimeout(pending.current[key]);
      pending.current[key] = setTimeout(() => {
        request('PUT', `/panels/${encodeURIComponent(id)}/state/${encodeURIComponent(key)}`, { value }).catch((e) => toast(e.message, 'error'));
      }, 120);
    },
  }), [state, computed, definition, overrides]);

  if (problem) return <p class="problem pad" role="alert">{problem}</p>;
  if (!definition) return <p class="quiet pad">Loading…</p>;
  return (
    <LiveContext.Provider value={live as never}>
      <header class="panel-head">
        <h1>{definition.title}</h1>
        <StatusBadge status={online ? 'live' : 'connecting'} live />
        <p class="quiet">{definition.description}</p>
      </header>
      <div role="tablist" aria-label="Parts of the panel" class="tabs" onKeyDown={(e) => {
        const step = e.key === 'ArrowRight' ? 1 : e.key === 'ArrowLeft' ? -1 : 0;
        if (!step) return;
        const next = TABS[(TABS.indexOf(tab) + step + TABS.length) % TABS.length];
        setTab(next);
        document.getElementById(`tab-${next}`)?.focus();
      }}>
        {TABS.map((name) => <button key={name} id={`tab-${name}`} role="tab" aria-selected={tab === name} aria-controls="part" tabIndex={tab === name ? 0 : -1} onClick={() => setTab(name)}>{name}</button>)}
      </div>
      <div id="part" role="tabpanel" aria-labelledby={`tab-${tab}`}>
        {tab === 'View' && (definition.view ? <View node={definition.view} /> : <p class="quiet">This panel has no view; its tools are in the next tab.</p>)}
        {tab === 'Tools' && definition.tools.map((tool) => <ToolForm key={tool.name} tool={tool} call={call} />)}
        {tab === 'State' && <><Values title="State" values={state} changed={changed} /><Values title="Computed" values={computed} changed={changed} /></>}
        {tab === 'Runs' && (runs.length ? runs.map((run) => <RunLine key={run.runId} run={run} />) : <p class="quiet">No runs yet.</p>)}
        {tab === 'Log' && <div class="log tall" role="log" tabIndex={0}>{logs.length ? logs.map((l, i) => <div key={i} class={`log-${l.level}`}>{l.message}</div>) : <span class="quiet">Nothing logged yet.</span>}</div>}
      </div>
    </LiveContext.Provider>
  );
}

function Values({ title, values, changed }: { title: string; values: Record<string, unknown>; changed: Record<string, number> }) {
  const entries = Object.entries(values);
  return <section class="box"><h3>{title}</h3>{entries.length === 0 && <p class="quiet">None.</p>}
    <dl>{entries.map(([key, value]) => <div key={`${key}@${changed[key] ?? 0}`} class={changed[key] ? 'fresh' : ''}><dt>{key}</dt><dd><pre>{JSON.stringify(value, null, 2)}</pre></dd></div>)}</dl></section>;
}

function initial(arg: ArgInfo): string {
  if (arg.default === undefined) return '';
  return typeof arg.default === 'object' ? JSON.stringify(arg.default) : String(arg.default);
}

function read(arg: ArgInfo, text: string): unknown {
  if (arg.type === 'string') return text;
  if (arg.type === 'number') {
    if (!Number.isFinite(Number(text)) || text.trim() === '') throw new Error(`${arg.name}: a number is needed`);
    return Number(text);
  }
  if (arg.type === 'boolean') return text === 'true';
  try { return JSON.parse(text); } catch { throw new Error(`${arg.name}: JSON is needed, for example ${arg.type === 'list' ? '[1, 2]' : '{"a": 1}'}`); }
}

function ToolForm({ tool, call }: { tool: ToolInfo; call: (tool: string, args: unknown) => Promise<RunResult> }) {
  const [texts, setTexts] = useState<Record<string, string>>(Object.fromEntries(tool.args.map((a) => [a.name, initial(a)])));
  const [result, setResult] = useState<RunResult | null>(null);
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    setProblem('');
    try {
      const args: Record<string, unknown> = {};
      for (const arg of tool.args) {
        if (texts[arg.name] === '' && !(arg.type === 'string' && arg.required)) continue;
        args[arg.name] = read(arg, texts[arg.name]);
      }
      setBusy(true);
      setResult(await call(tool.name, args));
    } catch (error) { setProblem((error as Error).message); setResult(null); }
    setBusy(false);
  };
  return (
    <form class="box tool" onSubmit={submit} aria-label={`Tool ${tool.name}`}>
      <h3>{tool.name} {tool.destructive && <StatusBadge status="destructive" />}</h3>
      {tool.description && <p class="quiet">{tool.description}</p>}
      {tool.args.map((arg) => <label key={arg.name} class="field"><span>{arg.name} <small class="quiet">{arg.type}{arg.required ? '' : ', optional'}</small></span>
        {arg.type === 'boolean'
          ? <select class="input" value={texts[arg.name]} onChange={(e) => setTexts({ ...texts, [arg.name]: e.currentTarget.value })}><option value="">–</option><option>true</option><option>false</option></select>
          : arg.type === 'list' || arg.type === 'object'
            ? <textarea class="input" rows={2} value={texts[arg.name]} onInput={(e) => setTexts({ ...texts, [arg.name]: e.currentTarget.value })} />
            : <input class="input" name={arg.name} inputMode={arg.type === 'number' ? 'decimal' : undefined} required={arg.required && arg.type === 'number'} value={texts[arg.name]} onInput={(e) => setTexts({ ...texts, [arg.name]: e.currentTarget.value })} />}
        {arg.description && <small class="quiet">{arg.description}</small>}</label>)}
      <button class="button button-primary" disabled={busy}>{busy ? 'Running…' : 'Run'}</button>
      <div aria-live="polite">{problem && <p class="problem">{problem}</p>}{result && <Outcome result={result} />}</div>
    </form>
  );
}

function Outcome({ result }: { result: RunResult }) {
  return <div class="outcome">
    <StatusBadge status={result.status} />
    {result.metrics && <small class="quiet"> {(result.metrics.durationUs / 1000).toFixed(1)} ms</small>}
    {result.error && <><p class="problem">{result.error.code}: {result.error.message}{result.error.location && ` (${result.error.file}:${result.error.location.line}:${result.error.location.column})`}</p>{result.error.snippet && <pre>{result.error.snippet}</pre>}</>}
    {result.returnValue !== undefined && <pre>{JSON.stringify(result.returnValue, null, 2)}</pre>}
    {(result.stateMutations ?? []).map((m, i) => <div key={i} class="effect">{m.operation} {[m.key, ...(m.path ?? [])].join('.')} {m.operation === 'set' && <code>{JSON.stringify(m.value)}</code>}</div>)}
    {(result.events ?? []).map((e, i) => <div key={i} class="effect">event {e.name} <code>{JSON.stringify(e.payload)}</code></div>)}
  </div>;
}

function RunLine({ run }: { run: RunRecord }) {
  return <details class="box run"><summary><span>{run.handler}</span> <StatusBadge status={run.result.status} /> <small class="quiet">{run.principal}</small></summary>
    <pre>{JSON.stringify(run.args)}</pre><Outcome result={run.result} /></details>;
}
