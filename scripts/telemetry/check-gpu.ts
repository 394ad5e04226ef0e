import { answerOf } from "gpu-telemetry-client";
import type { Output } from "./output.ts";

/** Checks that a GPU exists. Without this check, the list of an unknown GPU would be empty, and its records would never arrive.
 *  @param uuid undefined if no GPU was named; nothing is then checked
 *  @throws GatewayError if the GPU does not exist, or the gateway refuses the request
 *  @throws GatewayUnreachable if no gateway answers */
export async function checkGpu({ gateway }: Output, uuid: string | undefined): Promise<void> {
  if (uuid !== undefined) await answerOf(gateway.GET("/api/v1/gpus/{uuid}", { params: { path: { uuid } } }));
}
