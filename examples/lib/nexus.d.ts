// What a program finds in the sandbox, for editors. Nothing of this exists at run time.

interface Entry {
  path: string;
  name: string;
  type: 'file' | 'folder' | 'link' | 'other';
  size: number;
  mtimeMs: number;
}

interface HttpResponse {
  status: number;
  ok: boolean;
  url: string;
  headers: Record<string, string>;
  body: string | Uint8Array;
  json?: any;
}

interface HttpOptions {
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  json?: unknown;
  timeoutMs?: number;
  maxBytes?: number;
  redirect?: 'follow' | 'manual' | 'error';
}

interface Extensions {
  code: {
    read(path: string, options?: { encoding?: 'auto' | 'utf8' | 'bytes'; maxBytes?: number }): Promise<string>;
    write(path: string, text: string | Uint8Array, options?: { makeFolders?: boolean }): Promise<{ path: string; size: number }>;
    list(path?: string, options?: { recursive?: boolean; max?: number; exclude?: string[] }): Promise<Entry[]>;
    search(
      pattern: string,
      path?: string,
      options?: { regex?: boolean; ignoreCase?: boolean; max?: number; exclude?: string[] },
    ): Promise<{ path: string; line: number; column: number; text: string }[]>;
    stat(path: string): Promise<Entry>;
    exists(path: string): Promise<boolean>;
    remove(path: string): Promise<boolean>;
  };
  http: {
    get(url: string, options?: HttpOptions): Promise<HttpResponse>;
    post(url: string, options?: HttpOptions): Promise<HttpResponse>;
  };
  kv: {
    get(key: string): Promise<any>;
    set(key: string, value: unknown, options?: { ttlMs?: number }): Promise<true>;
    delete(key: string): Promise<boolean>;
    increment(key: string, by?: number): Promise<number>;
    list(options?: { prefix?: string; after?: string; max?: number; values?: boolean }): Promise<any[]>;
  };
}

declare interface Context<Args = Record<string, any>, State = Record<string, any>> {
  args: Args;
  state: State;
  ext: Extensions;
  log: ((...values: unknown[]) => void) & Record<'debug' | 'info' | 'warn' | 'error', (...values: unknown[]) => void>;
  time: { now(): number };
}

declare const $args: Record<string, any>;
declare const $state: Record<string, any>;
declare const $ext: Extensions;
declare const $log: Context['log'];
