// A panel's view: its elements as components, its bindings evaluated against the live state.
import { createContext } from 'preact';
import { useContext, useEffect, useRef, useState } from 'preact/hooks';
import { closingBrace, evaluate, type Scope } from './expression';
import type { ToolInfo, ViewNode, ViewText } from './api';
import { StatusBadge } from './badge';

export interface Live {
  values: Scope;  // State and computed values.
  tools: ToolInfo[];
  overrides: Record<string, Record<string, unknown>>;  // By component id: what setProp set.
  call: (tool: string, args: Record<string, unknown>, scope: Scope) => void;
  write: (key: string, value: unknown) => void;
}
export const LiveContext = createContext<Live>(null as unknown as Live);

const WEIGHTS: Record<string, number> = { Metric: 3, StatusBadge: 3, Button: 3, Action: 3, Switch: 3, Chart: 6, Input: 6,
  CustomComponent: 6, Spinner: 3 };
const weightOf = (node: ViewNode) => WEIGHTS[node.type ?? ''] ?? 12;

function shown(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** The value of a text: literals as they are, one binding with its type, interpolations as text. */
export function textValue(text: ViewText, names: Scope): unknown {
  if (text.kind === 'literal') return text.raw;
  if (text.kind === 'binding') return evaluate(text.expressions![0], names);
  let out = '';
  let from = 0;
  for (let at = text.raw.indexOf('{'); at >= 0; at = text.raw.indexOf('{', from)) {
    const end = closingBrace(text.raw, at + 1);
    out += text.raw.slice(from, at) + shown(evaluate(text.raw.slice(at + 1, end), names));
    from = end + 1;
  }
  return out + text.raw.slice(from);
}

/** `{ id: expr }` by name, `[a, b]` by the order of the tool's arguments, `{expr}` for a whole object. */
export function argsOf(text: ViewText | undefined, tool: ToolInfo | undefined, names: Scope): Record<string, unknown> {
  if (!text || !text.raw.trim()) return {};
  const code = text.raw.trim();
  let value: unknown;
  try {
    value = evaluate(code, names);
  } catch (error) {
    if (!code.startsWith('{')) throw error;
    value = evaluate(code.slice(1, -1), names);
  }
  if (!Array.isArray(value)) return (value ?? {}) as Record<string, unknown>;
  return Object.fromEntries(value.map((item, i) => [tool?.args[i]?.name ?? String(i), item]));
}

const truthy = (value: unknown) => (typeof value === 'string' ? value !== '' && value !== 'false' : Boolean(value));

export function View({ node }: { node: ViewNode }) {
  return <ViewElement node={node} scope={{}} />;
}

function ViewElement({ node, scope }: { node: ViewNode; scope: Scope }): any {
  const live = useContext(LiveContext);
  const names: Scope = { $state: live.values, $scope: scope, ...scope };
  try {
    if (node.text) return shown(textValue(node.text, names));
    const props: Scope = {};
    for (const [name, text] of Object.entries(node.props ?? {})) {
      if (name === 'args' || name === 'payload' || name === 'bind') continue;
      props[name] = textValue(text, names);
    }
    Object.assign(props, live.overrides[node.id ?? ''] ?? {});
    const Component = COMPONENTS[node.type ?? ''];
    if (!Component) return null;
    return <Component node={node} props={props} scope={scope} names={names} />;
  } catch (error) {
    return <span class="problem" role="alert">{node.type ?? 'text'}: {(error as Error).message}</span>;
  }
}

interface Given { node: ViewNode; props: Scope; scope: Scope; names: Scope }
const Children = ({ node, scope }: { node: ViewNode; scope: Scope }) => (
  <>{(node.children ?? []).map((child, i) => <ViewElement key={i} node={child} scope={scope} />)}</>
);

function Layout({ node, props, scope }: Given) {
  const strategy = String(props.strategy ?? 'auto');
  const gap = `gap-${['xs', 'sm', 'md', 'lg'].includes(String(props.gap)) ? props.gap : 'md'}`;
  if (strategy !== 'auto') {
    return <div id={node.id} class={`${strategy === 'row' ? 'row' : 'stack'} ${gap} justify-${props.justify ?? 'start'} align-${props.align ?? (strategy === 'row' ? 'center' : 'stretch')}`}><Children node={node} scope={scope} /></div>;
  }
  return (
    <div id={node.id} class={`grid ${gap}`}>
      {(node.children ?? []).map((child, i) => <div key={i} class={`span-${weightOf(child)}`}><ViewElement node={child} scope={scope} /></div>)}
    </div>
  );
}

function Box({ node, props, scope }: Given) {
  return (
    <section id={node.id} class={`box box-${props.variant ?? 'card'}`}>
      {props.title ? <h3>{shown(props.title)}</h3> : null}
      <Children node={node} scope={scope} />
    </section>
  );
}

function Iterate({ node, props, scope }: Given) {
  const items = props.items ?? props.over;
  const as = String(props.as ?? 'item');
  const key = String(props.key ?? props.keyProp ?? '');
  if (!Array.isArray(items)) return null;
  return <>{filtered(items, props.filter).map((item, i) => {
    const inner = { ...scope, [as]: item, [`${as}Index`]: i };
    return (node.children ?? []).map((child, c) => <ViewElement key={`${item?.[key] ?? i}/${c}`} node={child} scope={inner} />);
  })}</>;
}

function Text({ node, props, scope }: Given) {
  const tags: Record<string, string> = { h1: 'h1', h2: 'h2', h3: 'h3', h4: 'h4', code: 'code', caption: 'small', body: 'p' };
  const Tag = (tags[String(props.variant ?? 'body')] ?? 'p') as any;
  return <Tag id={node.id} class="text">{props.content !== undefined ? shown(props.content) : <Children node={node} scope={scope} />}</Tag>;
}

function Metric({ node, props }: Given) {
  const arrow = ({ up: '↑', down: '↓' } as Record<string, string>)[String(props.trend)] ?? '';
  return <div id={node.id} class="metric" role="group" aria-label={shown(props.label)}><span class="quiet">{shown(props.label)}</span><strong>{shown(props.value)}<small>{shown(props.unit)}</small> {arrow && <span aria-label={`trend ${props.trend}`}>{arrow}</span>}</strong></div>;
}

const Badge = ({ node, props }: Given) => <StatusBadge id={node.id} status={shown(props.status ?? 'info')} label={shown(props.label ?? props.value)} />;

/** What `$view.setFilter(id, value)` leaves of a component's items: a text is searched for in them, an object's members are compared. */
export function filtered<T>(items: T[], filter: unknown): T[] {
  if (filter === undefined || filter === null || filter === '') return items;
  if (typeof filter === 'object') {
    return items.filter((item: any) => Object.entries(filter as object).every(([name, value]) => item?.[name] === value));
  }
  const wanted = String(filter).toLowerCase();
  return items.filter((item) => shown(item).toLowerCase().includes(wanted));
}

/** The state key in `bind="$state.key"`. */
const boundKey = (node: ViewNode) => (node.props?.bind?.raw ?? '').replace(/^\{?\s*\$state\.|\s*\}?$/g, '');

function LogStream({ node, props }: Given) {
  const ref = useRef<HTMLDivElement>(null);
  const data = filtered(Array.isArray(props.data) ? props.data : [], props.filter);
  useEffect(() => { if (String(props.autoScroll) !== 'false' && ref.current) ref.current.scrollTop = ref.current.scrollHeight; }, [data.length]);
  return <div id={node.id} ref={ref} class="log" role="log" tabIndex={0} style={{ height: `${Number(props.height) || 200}px` }}>
    {data.map((line: any, i) => <div key={line?.id ?? i} class={`log-${line?.level ?? 'info'}`}>{typeof line === 'object' ? shown(line?.message ?? line) : shown(line)}</div>)}
  </div>;
}

function Chart({ node, props }: Given) {
  const data = filtered(Array.isArray(props.data) ? props.data : [], props.filter).slice(0, 500);
  const xs = data.map((d: any) => d?.[String(props.xKey ?? 'x')]);
  const ys = data.map((d: any) => Number(d?.[String(props.yKey ?? 'y')]) || 0);
  const kind = String(props.type ?? 'line');
  const top = Math.max(1e-9, ...ys);
  const low = Math.min(0, ...ys);
  const y = (value: number) => 190 - (180 * (value - low)) / (top - low);
  const x = (i: number) => 10 + (580 * i) / Math.max(1, data.length - (kind === 'bar' ? 0 : 1));
  const points = ys.map((v, i) => `${x(i)},${y(v)}`).join(' ');
  const total = ys.reduce((a, b) => a + Math.max(0, b), 0) || 1;
  let angle = -Math.PI / 2;
  return (
    <figure id={node.id} class="chart">
      <svg viewBox="0 0 600 200" role="img" style={{ height: `${Number(props.height) || 300}px` }} aria-label={`${kind} chart of ${data.length} values${data.length ? `, from ${Math.min(...ys)} to ${Math.max(...ys)}` : ''}`}>
        {kind === 'pie' ? ys.map((v, i) => {
          const from = angle;
          angle += (2 * Math.PI * Math.max(0, v)) / total;
          const point = (a: number) => `${300 + 95 * Math.cos(a)} ${100 + 95 * Math.sin(a)}`;
          return <path key={i} class={`slice slice-${i % 6}`} d={v >= total ? 'M300 5a95 95 0 1 1-.1 0z' : `M300 100L${point(from)}A95 95 0 ${angle - from > Math.PI ? 1 : 0} 1 ${point(angle)}z`}><title>{`${shown(xs[i])}: ${v}`}</title></path>;
        }) : kind === 'bar' ? ys.map((v, i) => <rect key={i} class="bar" x={x(i) + 2} width={Math.max(1, 580 / data.length - 4)} y={Math.min(y(v), y(0))} height={Math.abs(y(v) - y(0))}><title>{`${shown(xs[i])}: ${v}`}</title></rect>)
          : <>{kind === 'area' && data.length > 1 && <polygon class="area" points={`${x(0)},${y(0)} ${points} ${x(data.length - 1)},${y(0)}`} />}<polyline class="line" points={points} /></>}
        <line class="axis" x1="10" x2="590" y1={y(0)} y2={y(0)} />
      </svg>
      {(kind === 'bar' || kind === 'pie') && data.length <= 12 && <figcaption>{ys.map((v, i) => <span key={i} class={`key key-${kind === 'pie' ? i % 6 : 0}`}>{shown(xs[i])} <strong>{v}</strong></span>)}</figcaption>}
    </figure>
  );
}

// What is typed is shown at once; what comes from the server while the field has the focus waits.
function Input({ node, props }: Given) {
  const live = useContext(LiveContext);
  const key = boundKey(node);
  const [typed, setTyped] = useState<string | null>(null);
  const number = props.inputType === 'number';
  const label = shown(props.label ?? props.placeholder ?? key);
  return <input id={node.id} class="input" aria-label={label} placeholder={shown(props.placeholder)} type={shown(props.inputType ?? 'text')}
    disabled={truthy(props.disabled)} value={typed ?? shown(live.values[key])}
    onInput={(e) => { const v = e.currentTarget.value; setTyped(v); live.write(key, number ? Number(v) : v); }}
    onBlur={() => setTyped(null)} />;
}

function Button({ node, props, names, scope }: Given) {
  const live = useContext(LiveContext);
  const [problem, setProblem] = useState('');
  const press = () => {
    try {
      const tool = live.tools.find((t) => t.name === props.trigger);
      live.call(shown(props.trigger), argsOf(node.props?.args ?? node.props?.payload, tool, names), scope);
      setProblem('');
    } catch (error) { setProblem((error as Error).message); }
  };
  return <><button id={node.id} class={`button button-${props.variant ?? 'primary'}`} disabled={truthy(props.disabled)} onClick={press}>{shown(props.label ?? 'Button')}</button>{problem && <span class="problem" role="alert">{problem}</span>}</>;
}

function Switch({ node, props }: Given) {
  const live = useContext(LiveContext);
  const key = boundKey(node);
  return <label class="switch"><input id={node.id} type="checkbox" role="switch" checked={Boolean(live.values[key])} disabled={truthy(props.disabled)} onChange={(e) => live.write(key, e.currentTarget.checked)} /> {shown(props.label ?? key)}</label>;
}

const COMPONENTS: Record<string, (given: Given) => any> = {
  Layout, Container: Box, Card: Box, Iterate, Text, Metric, StatusBadge: Badge, LogStream, Chart, Input, Button, Action: Button, Switch,
  If: ({ node, props, scope }) => (truthy(props.condition) ? <Children node={node} scope={scope} /> : null),
  Spinner: () => <span class="spinner" role="status" aria-label="working" />,
  CustomComponent: ({ props }) => <span class="quiet">custom component {shown(props.component ?? props.module)} is not loaded by this page</span>,
};
