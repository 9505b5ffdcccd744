// The server's interface (docs/API.md) as the page uses it.

export interface ArgInfo { name: string; type: string; required: boolean; default?: unknown; description?: string }
export interface ToolInfo { name: string; description?: string; args: ArgInfo[]; destructive?: boolean; readOnly?: boolean; capabilities: string[]; inferred: boolean }
export interface ViewText { kind: 'literal' | 'binding' | 'interpolated'; raw: string; expressions?: string[] }
export interface ViewNode { type?: string; id?: string; props?: Record<string, ViewText>; children?: ViewNode[]; text?: ViewText }
export interface Definition { id: string; title: string; description?: string; states: { name: string; type: string }[]; computed: { name: string; value: string }[]; tools: ToolInfo[]; view?: ViewNode }
export interface RunError { code: string; message: string; snippet?: string; file?: string; location?: { line: number; column: number } }
export interface Effects { stateMutations?: Mutation[]; events?: { name: string; payload: unknown }[]; viewCommands?: ViewCommand[] }
export interface RunResult extends Effects { runId: string; status: string; returnValue?: unknown; error?: RunError; metrics?: { durationUs: number } }
export interface RunRecord { runId: string; handler: string; principal?: string; startedAt?: number | string; args?: unknown; result: RunResult }
export interface Mutation { operation: 'set' | 'delete'; key: string; path?: (string | number)[]; value?: unknown; revision: number }
export interface ViewCommand { type: string; componentId: string; args: Record<string, unknown> }
export interface LogLine { level: string; message: string; timestamp?: number | string }
export interface Approval { id: string; status: string; capabilities: string[]; reason: string; forMs: number; panelId: string; handler: string; principal: string; mayApprove?: boolean; decidedBy?: string; note?: string }
export interface PanelInfo { id: string; title: string; description?: string; revision: number; tools: string[] }

let apiKey = sessionStorage.getItem('nexus-key') ?? '';
export const setApiKey = (key: string) => {
  apiKey = key;
  sessionStorage.setItem('nexus-key', key);
};

export class ApiError extends Error {
  constructor(public status: number, public code: string, message: string) { super(message); }
}

export async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = {};
  if (apiKey) headers.Authorization = `Bearer ${apiKey}`;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await response.text();
  const value = text ? JSON.parse(text) : undefined;
  if (!response.ok) {
    throw new ApiError(response.status, value?.error?.code ?? 'ERROR', value?.error?.message ?? response.statusText);
  }
  return value as T;
}

/** A panel's WebSocket that comes back by itself, with the patches it missed. */
export class PanelSocket {
  private socket: WebSocket | null = null;
  private revision = -1;
  private closed = false;
  private wait = 500;
  constructor(private id: string, private onMessage: (message: any) => void, private onState: (live: boolean) => void) {
    void this.open();
  }
  private async open() {
    let query = '';
    try {
      if (apiKey) {
        const { ticket } = await request<{ ticket: string }>('POST', '/auth/tickets', { panelId: this.id });
        query = `ticket=${encodeURIComponent(ticket)}`;
      }
    } catch { return this.again(); }
    if (this.closed) return;
    if (this.revision >= 0) query += `${query ? '&' : ''}revision=${this.revision}`;
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    this.socket = new WebSocket(`${scheme}://${location.host}/panels/${encodeURIComponent(this.id)}/ws${query ? '?' + query : ''}`);
    this.socket.onopen = () => {
      this.wait = 500;
      this.socket!.send(JSON.stringify({ type: 'SUBSCRIBE', topics: ['state', 'events', 'view', 'logs', 'runs'] }));
      this.onState(true);
    };
    this.socket.onmessage = (event) => {
      const message = JSON.parse(event.data);
      if (typeof message.revision === 'number') this.revision = message.revision;
      this.onMessage(message);
    };
    this.socket.onclose = () => this.again();
  }
  private again() {
    this.onState(false);
    if (this.closed) return;
    setTimeout(() => void this.open(), this.wait);
    this.wait = Math.min(this.wait * 2, 10_000);
  }
  close() {
    this.closed = true;
    this.socket?.close();
  }
}

/** `state` with a mutation applied; what is not on its path is shared with the state before. */
export function applyMutation(state: Record<string, unknown>, mutation: Mutation): Record<string, unknown> {
  const path = [mutation.key, ...(mutation.path ?? [])];
  const change = (value: any, at: number): any => {
    const step = path[at];
    const copy: any = Array.isArray(value) ? [...value] : { ...value };
    if (at === path.length - 1) {
      if (mutation.operation === 'set') copy[step] = mutation.value;
      else if (Array.isArray(copy)) copy[step as number] = null;
      else delete copy[step];
    } else {
      copy[step] = change(value?.[step], at + 1);
    }
    return copy;
  };
  return change(state, 0);
}
