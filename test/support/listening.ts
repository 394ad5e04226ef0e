import type { TestGateway } from "../routes/gateway.ts";

/** Makes a gateway listen on a free port of this machine, once it has loaded its fleet.
 *  @returns the port */
export async function listening({ app, get }: Pick<TestGateway, "app" | "get">): Promise<number> {
  await get("/health/live");
  app.listen({ hostname: "127.0.0.1", port: 0 });
  return app.server?.port as number;
}
