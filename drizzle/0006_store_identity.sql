CREATE TABLE "store_identity" (
	"row" integer PRIMARY KEY DEFAULT 1 NOT NULL,
	"store_id" text DEFAULT gen_random_uuid() NOT NULL,
	CONSTRAINT "store_identity_one_row" CHECK ("store_identity"."row" = 1)
);
