import { answerOf } from "gpu-telemetry-client";
import type { Output } from "./output.ts";

/** Checks that a GPU exists, because an empty list, or waiting for its records, would not show that it does not.
 *  @param uuid undefined if no GPU was named; nothing is then checked
 *  @throws GatewayError if the GPU does not exist
 *  @throws GatewayUnreachable if no gateway answers */
export async function checkGpu({ gateway }: Output, uuid: string | undefined): Promise<void> {
  if (uuid !== undefined) await answerOf(gateway.GET("/api/v1/gpus/{uuid}", { params: { path: { uuid } } }));
}
