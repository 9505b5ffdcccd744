// Runs that ask for rights they do not have, and the buttons that answer them.
import { useEffect, useState } from 'preact/hooks';
import { request, type Approval } from './api';
import { StatusBadge } from './badge';

const POLL_MS = 3000;

/** The requests that wait, asked for again every few seconds while somebody looks. */
export function useApprovals(enabled: boolean): [Approval[], () => void] {
  const [waiting, setWaiting] = useState<Approval[]>([]);
  const load = () => request<{ approvals: Approval[] }>('GET', '/approvals').then((r) => setWaiting(r.approvals), () => {});
  useEffect(() => {
    if (!enabled) return;
    void load();
    const timer = setInterval(() => { if (!document.hidden) void load(); }, POLL_MS);
    return () => clearInterval(timer);
  }, [enabled]);
  return [waiting, () => void load()];
}

const seconds = (ms: number) => (ms < 120_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`);

export function ApprovalsPage({ waiting, reload, toast }: { waiting: Approval[]; reload: () => void; toast: (text: string, level?: string) => void }) {
  const [decided, setDecided] = useState<Approval[]>([]);
  useEffect(() => {
    request<{ approvals: Approval[] }>('GET', '/approvals?status=all&limit=20').then((r) => setDecided(r.approvals.filter((a) => a.status !== 'waiting')), () => {});
  }, [waiting.length]);
  const answer = (approval: Approval, verb: 'approve' | 'deny') => {
    request('POST', `/approvals/${approval.id}/${verb}`, {}).then(
      () => { toast(verb === 'approve' ? 'Granted' : 'Refused', 'success'); reload(); },
      (error) => { toast(error.message, 'error'); reload(); });
  };
  return <>
    <header class="panel-head"><h1>Approvals</h1><p class="quiet">Runs that wait for a right they do not have. The reason is the program’s own words; the capability is what it gets.</p></header>
    {waiting.length === 0 && <p class="quiet">Nothing waits for an answer.</p>}
    <ul class="plain">{waiting.map((a) => <li key={a.id} class="box" aria-label={`Request for ${a.capabilities.join(', ')}`}>
      <h2 class="h3">{a.capabilities.map((c) => <code key={c}>{c} </code>)}</h2>
      <p>{a.reason}</p>
      <p class="quiet">{a.panelId} / {a.handler}, asked by {a.principal || 'the panel itself'}, for {seconds(a.forMs)} from the answer</p>
      <div class="row gap-sm">
        <button class="button button-primary" disabled={!a.mayApprove} onClick={() => answer(a, 'approve')}>Approve</button>
        <button class="button button-danger" onClick={() => answer(a, 'deny')}>Deny</button>
        {!a.mayApprove && <span class="quiet">Who approves must hold the right and have panel:approve.</span>}
      </div>
    </li>)}</ul>
    {decided.length > 0 && <section class="box"><h3>Decided</h3>
      <ul class="plain">{decided.map((a) => <li key={a.id}><StatusBadge status={a.status} /> <code>{a.capabilities.join(', ')}</code> <small class="quiet">{a.panelId} / {a.handler}{a.decidedBy ? `, by ${a.decidedBy}` : ''}{a.note ? `: ${a.note}` : ''}</small></li>)}</ul></section>}
  </>;
}
