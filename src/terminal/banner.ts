/** Where things are, for the person who started it. */
export function bannerText(options: {
  readonly url: string;
  readonly source: string | undefined;
  readonly store: string | undefined;
  /** Undefined: in this process's memory. */
  readonly queue: string | undefined;
  readonly servesApi: boolean;
}): string {
  const { url, source, store, queue, servesApi } = options;
  return [
    "",
    "GPU telemetry pipeline",
    ...(servesApi ? [`  API        ${url}/api/v1/gpus`, `  docs       ${url}/docs`] : []),
    `  health     ${url}/health`,
    `  metrics    ${url}/metrics`,
    ...(source === undefined ? [] : [`  source     ${source}`]),
    ...(queue === undefined ? [] : [`  queue      etcd at ${queue}`]),
    ...(store === undefined ? [] : [`  data       ${store}`]),
    "",
  ].join("\n");
}
