import type { RecordBatch, RejectReason } from "../../domain/batch.ts";
import type { StoredRejection } from "../../domain/query.ts";
import { hasShiftedTimes } from "../../domain/round-source.ts";
import { newTraceId } from "../../kit/trace-context.ts";
import { encodeBatch } from "../../pipeline/queue/batch-codec.ts";
import type { Queue } from "../../pipeline/queue/queue.ts";
import type { RejectedInputs } from "../../pipeline/store/rejected-inputs.ts";
import { ApiError, notFound } from "../http/api-error.ts";

/** How long a redrive waits for room in the queue. */
const publishTimeoutMs = 10_000;

const otherHeader: RejectReason = "other_header";

/** What redriving and deleting rejected inputs needs. */
export interface RejectedInputParts {
  readonly inputs: RejectedInputs;
  readonly queue: Pick<Queue, "publish">;
  /** Reads the text of a row with the rules of today. */
  readonly readAgain: (raw: string) => { readonly batch: RecordBatch } | { readonly problem: string };
  /** The cluster of a known device. */
  readonly clusterOf: (uuid: string) => string | undefined;
}

/** Redrives and deletes rejected inputs, for REST and GraphQL. The calls throw ApiError 404 if the input does not exist. */
export class RejectedInputAnswers {
  constructor(private readonly parts: RejectedInputParts) {}

  /** Reads an input again, and sends what it gives to the collectors. It leaves the quarantine only when its message is in the queue; the
   *  message has a key that follows from the input, so a second redrive adds nothing.
   *  @returns the input as it was
   *  @throws ApiError 400 with the reason if it still cannot be used; it stays in quarantine then */
  async redrive(id: number): Promise<StoredRejection> {
    const input = await this.show(id);
    const batch = this.batchOf(input);
    const { sourceId, byte, line } = input;
    const at = { offset: byte, line };
    const message = {
      ...encodeBatch(batch),
      idempotencyKey: `${sourceId}:redriven:${id}`,
      traceId: newTraceId(),
      count: batch.recordCount,
      // an empty range: the source's own message has covered the row
      source: { sourceId, from: at, to: at },
    };
    await this.parts.queue.publish([message], { signal: AbortSignal.timeout(publishTimeoutMs) });
    await this.parts.inputs.delete(id);
    return input;
  }

  /** Deletes an input for good. @returns the input as it was */
  async delete(id: number): Promise<StoredRejection> {
    const input = await this.show(id);
    // another client may have redriven or deleted it meanwhile
    if (!(await this.parts.inputs.delete(id))) throw notFound("rejected input", { id: String(id) });
    return input;
  }

  private async show(id: number): Promise<StoredRejection> {
    const input = await this.parts.inputs.get(id);
    if (input === undefined) throw notFound("rejected input", { id: String(id) });
    return input;
  }

  private batchOf({ id, line, reason, sourceId, raw }: StoredRejection): RecordBatch {
    if (line === 0) throw refusal(id, "Only a row of a file can be tried again.");
    if (reason === otherHeader) throw refusal(id, "Its row has the columns of another table, which are not known.");
    if (hasShiftedTimes(sourceId)) throw refusal(id, "Its file is played with other times (TIMESTAMPS=now).");
    const read = this.parts.readAgain(raw);
    if ("problem" in read) throw refusal(id, read.problem);
    const { batch } = read;
    const gpus = batch.gpus.map((gpu) => ({ ...gpu, clusterId: this.parts.clusterOf(gpu.uuid) ?? gpu.clusterId }));
    return { ...batch, gpus };
  }
}

function refusal(id: number, reason: string): ApiError {
  return new ApiError(400, "invalid_parameter", {
    message: `The rejected input ${id} cannot be used: ${reason} It stays in quarantine; correct the source and read it again`,
    details: { parameter: "id", value: String(id) },
  });
}
