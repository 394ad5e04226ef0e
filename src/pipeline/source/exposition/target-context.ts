/** What is known of an exporter besides what it says itself. */
export interface TargetContext {
  /** Its address: `host:port` or a URL. */
  readonly target: string;
  /** The name of its host, for exporters that do not know it. */
  readonly host: string;
  /** Absent: the default cluster. */
  readonly clusterId?: string;
  /** Labels that its devices get as properties, unless the exporter has labels of these names. */
  readonly labels: Readonly<Record<string, string>>;
}
