import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ApiError, request, setApiKey, type PanelInfo } from './api';
import { ApprovalsPage, useApprovals } from './approvals';
import { PanelPage } from './panel';

// No panel has a slash in its id.
const APPROVALS = '/approvals';

function App() {
  const [panels, setPanels] = useState<PanelInfo[] | null>(null);
  const [locked, setLocked] = useState(false);
  const [problem, setProblem] = useState('');
  const [open, setOpen] = useState(decodeURIComponent(location.hash.slice(1)));
  const [waiting, reload] = useApprovals(panels !== null);
  const [toasts, setToasts] = useState<{ id: number; text: string; level: string }[]>([]);
  const load = () => request<{ panels: PanelInfo[] }>('GET', '/panels').then((r) => { setPanels(r.panels); setLocked(false); },
    (e: ApiError) => { if (e.status === 401) setLocked(true); else setProblem(e.message); });
  useEffect(() => {
    void load();
    const follow = () => setOpen(decodeURIComponent(location.hash.slice(1)));
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  const toast = (text: string, level = 'info') => {
    const id = Math.random();
    setToasts((all) => [...all.slice(-3), { id, text, level }]);
    setTimeout(() => setToasts((all) => all.filter((t) => t.id !== id)), 6000);
  };
  const theme = () => {
    const dark = matchMedia('(prefers-color-scheme: dark)').matches;
    const now = document.documentElement.dataset.theme ?? (dark ? 'dark' : 'light');
    localStorage.setItem('nexus-theme', document.documentElement.dataset.theme = now === 'dark' ? 'light' : 'dark');
  };
  return (
    <div class="page">
      <a class="skip" href="#main" onClick={(e) => { e.preventDefault(); document.getElementById('main')?.focus(); }}>Skip to the panel</a>
      <nav aria-label="Panels">
        <div class="brand"><span>Nexus</span><button class="button button-ghost" onClick={theme} aria-label="Switch between light and dark">◐</button></div>
        {locked && <form class="pad" onSubmit={(e) => { e.preventDefault(); setApiKey(String(new FormData(e.currentTarget).get('key'))); void load(); }}>
          <label class="field"><span>API key</span><input class="input" name="key" type="password" autocomplete="off" required /></label><button class="button button-primary">Open</button></form>}
        <ul>{(panels ?? []).map((p) => <li key={p.id}><a href={`#${encodeURIComponent(p.id)}`} aria-current={p.id === open ? 'page' : undefined}>{p.title}<small class="quiet">{p.tools.length} tools</small></a></li>)}</ul>
        {panels !== null && <a class="approvals" href={`#${APPROVALS}`} aria-current={open === APPROVALS ? 'page' : undefined}>Approvals<span role="status">{waiting.length > 0 && <span class="badge badge-warn" aria-label={`${waiting.length} waiting`}>{waiting.length}</span>}</span></a>}
        {panels?.length === 0 && <p class="quiet pad">No panels yet: nexus serve FILE.nxml</p>}
        {problem && <p class="problem pad" role="alert">{problem}</p>}
      </nav>
      <main id="main" tabIndex={-1}>{open === APPROVALS ? <ApprovalsPage waiting={waiting} reload={reload} toast={toast} /> : open ? <PanelPage key={open} id={open} toast={toast} /> : <p class="quiet pad">Choose a panel.</p>}</main>
      <div class="toasts" role="status" aria-live="polite">{toasts.map((t) => <div key={t.id} class={`toast toast-${t.level}`}>{t.text}</div>)}</div>
    </div>
  );
}
const theme = localStorage.getItem('nexus-theme');
if (theme) document.documentElement.dataset.theme = theme;
render(<App />, document.getElementById('app')!);
