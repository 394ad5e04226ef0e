/** A role's lines in the banner. Each line has a label. */
export interface RoleBanner {
  /** Paths of pages to open in a browser. */
  readonly pages: readonly (readonly [label: string, path: string])[];
  readonly facts: readonly (readonly [label: string, text: string])[];
}

/** The text that a process prints after its start. */
export function bannerText(options: {
  readonly url: string;
  readonly roles: readonly RoleBanner[];
  /** Where the data is stored; undefined if this process opened no store. */
  readonly store: string | undefined;
  /** Who may use the process; undefined if only its machine can reach it. */
  readonly access: string | undefined;
  /** The endpoints of etcd; undefined if the queue is in this process's memory. */
  readonly queue: string | undefined;
  /** Commands for another terminal; empty if the process answers no questions. */
  readonly next: readonly string[];
}): string {
  const { url, roles, store, access, queue, next } = options;
  const pages = [...roles.flatMap((role) => role.pages), ["health", "/health"], ["metrics", "/metrics"]] as const;
  const facts = [
    ...roles.flatMap((role) => role.facts),
    ...(access === undefined ? [] : [["access", access] as const]),
    ...(queue === undefined ? [] : [["queue", `etcd at ${queue}`] as const]),
    ...(store === undefined ? [] : [["data", store] as const]),
    ...next.map((command, index) => [index === 0 ? "next" : "", command] as const),
  ];
  const lines = [...pages.map(([label, path]) => [label, `${url}${path}`] as const), ...facts];
  return ["", "GPU telemetry pipeline", ...lines.map(([label, text]) => `  ${label.padEnd(10)} ${text}`), ""].join(
    "\n",
  );
}
