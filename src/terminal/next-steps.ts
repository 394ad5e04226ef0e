/** Where a process answers, and what it reads. */
export interface ServedImport {
  /** The URL of this process's gateway. */
  readonly url: string;
  readonly clusterId: string;
  /** The imported file; undefined if there is none. */
  readonly csvFile: string | undefined;
}

const standardUrl = "http://localhost:8080";
const standardCluster = "local-cluster";

/** Commands to go on with, ready to be copied into another terminal.
 *  @param hasRejections whether a row or value of the file was rejected */
export function nextSteps({ url, clusterId, csvFile }: ServedImport, hasRejections = false): readonly string[] {
  const at = url === standardUrl ? "" : ` --url ${url}`;
  if (csvFile === undefined) return [`bun run telemetry${at} top`];
  const settings = clusterId === standardCluster ? "" : `CLUSTER_ID=${shellWord(clusterId)} `;
  return [
    ...(hasRejections ? [`bun run telemetry${at} rejections`] : []),
    `bun run telemetry${at} hosts`,
    `bun run telemetry${at} latest`,
    `${settings}bun run verify --csv ${shellWord(csvFile)}${at}`,
  ];
}

/** A text as one word of a shell. */
const shellWord = (text: string): string =>
  /^[\w./:-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
