/** A role's lines of the banner: each a label and what stands beside it. */
export interface RoleBanner {
  /** Paths of pages to open in a browser. */
  readonly pages: readonly (readonly [label: string, path: string])[];
  readonly facts: readonly (readonly [label: string, text: string])[];
}

/** Tells the person who started the process where everything is. */
export function bannerText(options: {
  readonly url: string;
  readonly roles: readonly RoleBanner[];
  /** Where the data is stored; undefined if this process opened no store. */
  readonly store: string | undefined;
  /** Where etcd is; undefined if the queue is in this process's memory. */
  readonly queue: string | undefined;
}): string {
  const { url, roles, store, queue } = options;
  const pages = [...roles.flatMap((role) => role.pages), ["health", "/health"], ["metrics", "/metrics"]] as const;
  const facts = [
    ...roles.flatMap((role) => role.facts),
    ...(queue === undefined ? [] : [["queue", `etcd at ${queue}`] as const]),
    ...(store === undefined ? [] : [["data", store] as const]),
  ];
  const lines = [...pages.map(([label, path]) => [label, `${url}${path}`] as const), ...facts];
  return ["", "GPU telemetry pipeline", ...lines.map(([label, text]) => `  ${label.padEnd(10)} ${text}`), ""].join(
    "\n",
  );
}
