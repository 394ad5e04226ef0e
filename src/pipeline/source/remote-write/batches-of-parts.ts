import type { RecordBatch } from "../../../domain/batch.ts";
import { turnOfOthers } from "../../../kit/turn.ts";
import { type KnownExporters, SeriesBatches, type SeriesDefaults } from "./series-batches.ts";
import type { WrittenPart } from "./written-series.ts";

/** A batch has at most about so many samples, as other pushes have rows. Prometheus sends 2,000 at a time, vmagent 10,000: a request
 *  is usually one message. */
const batchSamples = 20_000;
/** After so many series, others get their turn. */
const seriesAtATime = 1000;

/** The batches of a request. What comes before a place that cannot be read is used. */
export async function* batchesOfParts(
  parts: Iterable<WrittenPart>,
  exporters: KnownExporters,
  defaults: SeriesDefaults,
): AsyncGenerator<RecordBatch, void, undefined> {
  const batches = new SeriesBatches(exporters, defaults);
  let [problem, count]: [unknown, number] = [undefined, 0];
  try {
    for (const part of parts) {
      if ("metadata" in part) exporters.learn(part.metadata);
      else batches.add(part.series);
      if ((count += 1) % seriesAtATime === 0) await turnOfOthers();
      if (batches.size >= batchSamples) yield batches.takeBatch();
    }
  } catch (error) {
    problem = error;
  }
  if (batches.size > 0) yield batches.takeBatch();
  if (problem !== undefined) throw problem as Error;
}
