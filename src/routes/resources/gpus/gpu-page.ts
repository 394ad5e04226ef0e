import type { ApiGpu } from "../../fleet/fleet-index.ts";
import { inState } from "../../fleet/fleet-states.ts";
import { limitOf, type SizeOf } from "../../graphql-kit/field.ts";
import type { OperationContext } from "../../graphql-kit/operation-context.ts";
import { pageOf } from "../../http/list-page.ts";
import { gpuListQuery } from "../../http/parameters/common.ts";
import { choice, optional, type ValuesOf } from "../../http/parameters/parameter.ts";
import { statusValues } from "../../schemas/activity.ts";
import { selectorOf } from "../../schemas/gpu-selector.ts";

/** The parameters of queries for a list of GPUs. */
export const gpuPageQuery = { ...gpuListQuery, status: optional(choice(statusValues)) };

type GpuPageQuery = ValuesOf<typeof gpuPageQuery>;

/** The maximum number of GPUs that a page may have. */
export const gpusOfPage: SizeOf = (args, fleet) => Math.min(limitOf(args), fleet.gpus.length);

/** A part of the list of GPUs. */
export interface GpuPage {
  readonly gpus: readonly ApiGpu[];
  /** The number of selected GPUs, in all parts. */
  readonly totalCount: number;
  /** The cursor of the next part; undefined at the end. */
  readonly nextCursor: string | undefined;
}

/** The part of the list of GPUs that the query's filters, limit and cursor select. */
export function gpuPage(query: GpuPageQuery, { fleet }: OperationContext): GpuPage {
  const selected = fleet.selected(selectorOf(query));
  const inThisState = inState(selected, query.state);
  const all = query.status === undefined ? inThisState : inThisState.filter((gpu) => gpu.status === query.status);
  const { elements, next } = pageOf(all, ({ hostname, id, uuid }) => [hostname, Number(id), uuid], query);
  return { gpus: elements, totalCount: all.length, nextCursor: next };
}
