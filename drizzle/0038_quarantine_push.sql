ALTER TABLE "quarantine" ADD COLUMN "push_id" text;--> statement-breakpoint
CREATE INDEX "quarantine_push" ON "quarantine" USING btree ("push_id","id") WHERE push_id is not null;--> statement-breakpoint
COMMENT ON COLUMN "quarantine"."push_id" IS 'The push that the input came in; NULL for an input of a file, an upload or a live source';
