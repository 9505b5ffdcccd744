// The colours of every word that says how something stands: runs, approvals, the connection, views.
const LEVELS: Record<string, string> = { success: 'success', approved: 'success', live: 'success', error: 'error', denied: 'error', cancelled: 'error',
  warn: 'warn', warning: 'warn', expired: 'warn', connecting: 'warn', destructive: 'warn', suspended: 'info', waiting: 'info', info: 'info' };

export const StatusBadge = ({ status, label, id, live }: { status: string; label?: string; id?: string; live?: boolean }) => (
  <span id={id} class={`badge badge-${LEVELS[status] ?? 'info'}`} role={live ? 'status' : undefined}>{label ?? status}</span>
);
