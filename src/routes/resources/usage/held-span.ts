import { type Static, Type } from "@sinclair/typebox";
import type { HeldSpan } from "../../../domain/usage/usage.ts";
import { formatTimestamp } from "../../../domain/timestamp.ts";
import { instant } from "../../schemas/envelope.ts";

const states = ["held", "free", "unknown"] as const;

/** Who held a GPU for a time, as the API shows it. */
export const heldSpanSchema = Type.Object(
  {
    from: instant("When it began, or the beginning of the range"),
    to: instant("When it ended, or the end of the range"),
    state: Type.Union(
      states.map((state) => Type.Literal(state)),
      { description: "held by workloads or a job; free; or unknown, because no record says" },
    ),
    holders: Type.Array(
      Type.Object(
        {
          namespace: Type.String({ description: "Empty if the input does not have it" }),
          pod: Type.String({ description: "Empty if the input does not have it" }),
          container: Type.String({ description: "Empty if the input does not have it" }),
        },
        { additionalProperties: false },
      ),
      { description: "The workloads that held it at once" },
    ),
    job: Type.String({ description: "Job of a batch system; empty if no label names one" }),
    user: Type.String({ description: "User; empty if no label names one" }),
  },
  {
    $id: "HeldSpan",
    additionalProperties: false,
    description: "Who held a GPU, and from when until when",
    examples: [
      {
        from: "2025-07-18T20:00:00Z",
        to: "2025-07-18T20:42:34Z",
        state: "held",
        holders: [{ namespace: "ml-training", pod: "trainer-0", container: "main" }],
        job: "",
        user: "",
      },
    ],
  },
);

/** Who held a GPU for a time, in the API's shape. */
export function toApiHeldSpan({ fromMs, toMs, state, holders, job, user }: HeldSpan): Static<typeof heldSpanSchema> {
  return {
    from: formatTimestamp(fromMs),
    to: formatTimestamp(toMs),
    state,
    holders: holders.map(({ namespace, pod, container }) => ({ namespace, pod, container })),
    ...{ job, user },
  };
}
