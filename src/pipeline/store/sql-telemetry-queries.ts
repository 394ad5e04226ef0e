import type { SqlClient } from "../../db/client.ts";
import { metrics } from "../../domain/metrics.ts";
import type {
  GpuFilter,
  RecordFilter,
  RejectionFilter,
  StoredGpu,
  StoredRecord,
  StoredRejection,
} from "../../domain/query.ts";
import type { TelemetryQueries } from "./telemetry-queries.ts";

const gpuColumns = `g.uuid, g.cluster_id, g.hostname, g.gpu_id, g.device, g.model_name, g.driver_version, g.properties,
  extract(epoch from g.first_seen_at)::float8 * 1000 as first_ms, extract(epoch from g.last_seen_at)::float8 * 1000 as last_ms`;
const metricColumns = metrics.map(({ name }) => `t."${name}"`).join(", ");
const recordColumns = `${gpuColumns}, extract(epoch from t.time)::float8 * 1000 as time_ms, ${metricColumns},
  t.custom, t.container, t.pod, t.namespace`;
const gpuOrder = "g.hostname, g.gpu_id, g.uuid";

interface GpuRow {
  readonly uuid: string;
  readonly cluster_id: string;
  readonly hostname: string;
  readonly gpu_id: number;
  readonly device: string;
  readonly model_name: string;
  readonly driver_version: string;
  readonly properties: Record<string, string>;
  readonly first_ms: number;
  readonly last_ms: number;
}

interface RecordRow extends GpuRow {
  readonly time_ms: number;
  readonly custom: Record<string, number> | null;
  readonly container: string | null;
  readonly pod: string | null;
  readonly namespace: string | null;
}

/** Collects conditions and their parameters. */
class Conditions {
  readonly params: unknown[] = [];
  private readonly texts: string[] = [];

  /** @param text with `?` for the parameter; left out where the value is undefined */
  add(text: string, value: unknown): this {
    if (value !== undefined) this.texts.push(text.replace("?", `$${this.params.push(value)}`));
    return this;
  }

  get where(): string {
    return this.texts.length === 0 ? "" : `where ${this.texts.join(" and ")}`;
  }
}

/** Answers out of SQL. */
export class SqlTelemetryQueries implements TelemetryQueries {
  constructor(private readonly client: SqlClient) {}

  async gpus(filter: GpuFilter): Promise<StoredGpu[]> {
    const { where, params } = ofGpu(filter);
    const text = `select ${gpuColumns} from gpus g ${where} order by ${gpuOrder}`;
    return (await this.client.query<GpuRow>(text, params)).map(toGpu);
  }

  async records(filter: RecordFilter): Promise<StoredRecord[]> {
    const conditions = ofGpu(filter)
      .add("t.time >= to_timestamp(?::float8 / 1000.0)", filter.startMs)
      .add("t.time <= to_timestamp(?::float8 / 1000.0)", filter.endMs);
    const limit = `$${conditions.params.push(filter.limit)}`;
    const text = `
select * from (
  select ${recordColumns}, g.gpu_key from telemetry t join gpus g using (gpu_key) ${conditions.where}
  order by t.time desc, g.hostname desc, g.gpu_id desc limit ${limit}
) newest order by time_ms, hostname, gpu_id, uuid`;
    return (await this.client.query<RecordRow>(text, conditions.params)).map(toRecord);
  }

  async latest(filter: GpuFilter): Promise<StoredRecord[]> {
    const { where, params } = ofGpu(filter);
    const text = `
select ${recordColumns} from gpus g
cross join lateral (select * from telemetry where gpu_key = g.gpu_key order by time desc limit 1) t
${where} order by ${gpuOrder}`;
    return (await this.client.query<RecordRow>(text, params)).map(toRecord);
  }

  async countRecords(clusterId: string): Promise<number> {
    const text = "select count(*)::float8 as count from telemetry join gpus using (gpu_key) where cluster_id = $1";
    return (await this.client.query<{ count: number }>(text, [clusterId]))[0]?.count ?? 0;
  }

  rejections({ sourceId, limit }: RejectionFilter): Promise<StoredRejection[]> {
    const conditions = new Conditions().add("source_id = ?", sourceId);
    const text = `
select source_id as "sourceId", line::float8 as line, byte_offset::float8 as byte, reason, field, value, message, raw,
  (extract(epoch from seen_at)::float8 * 1000)::float8 as "seenAtMs"
from quarantine ${conditions.where} order by id desc limit $${conditions.params.push(limit)}`;
    return this.client.query<StoredRejection>(text, conditions.params);
  }
}

function ofGpu({ clusterId, hostname, gpuId, uuid }: GpuFilter): Conditions {
  return new Conditions()
    .add("g.cluster_id = ?", clusterId)
    .add("g.hostname = ?", hostname)
    .add("g.gpu_id = ?", gpuId)
    .add("g.uuid = ?", uuid);
}

function toGpu(row: GpuRow): StoredGpu {
  return {
    uuid: row.uuid,
    clusterId: row.cluster_id,
    hostname: row.hostname,
    gpuId: row.gpu_id,
    device: row.device,
    modelName: row.model_name,
    driverVersion: row.driver_version,
    properties: row.properties,
    firstSeenAtMs: Math.round(row.first_ms),
    lastSeenAtMs: Math.round(row.last_ms),
  };
}

function toRecord(row: RecordRow): StoredRecord {
  const values = row as unknown as Record<string, number | null>;
  const present: Record<string, number> = {};
  for (const { name } of metrics) {
    const value = values[name];
    if (typeof value === "number") present[name] = value;
  }
  return {
    gpu: toGpu(row),
    timeMs: Math.round(row.time_ms),
    metrics: present,
    custom: row.custom ?? {},
    container: row.container ?? "",
    pod: row.pod ?? "",
    namespace: row.namespace ?? "",
  };
}
