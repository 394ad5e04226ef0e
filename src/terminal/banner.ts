/** Where things are, for the person who started it. */
export function bannerText(options: {
  readonly url: string;
  readonly source: string | undefined;
  readonly dataDir: string;
  readonly servesApi: boolean;
}): string {
  const { url, source, dataDir, servesApi } = options;
  return [
    "",
    "GPU telemetry pipeline",
    ...(servesApi ? [`  API        ${url}/api/v1/gpus`, `  docs       ${url}/docs`] : []),
    `  health     ${url}/health`,
    `  metrics    ${url}/metrics`,
    ...(source === undefined ? [] : [`  source     ${source}`]),
    `  data       ${dataDir}`,
    "",
  ].join("\n");
}
