// Every media call of the `openai` package for Node, against the server that OPENAI_BASE_URL names.
import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// The package lies in the folder that this runs in, wherever this file is.
const require = createRequire(pathToFileURL(`${process.cwd()}/`));
const { default: OpenAI, toFile } = await import(pathToFileURL(require.resolve("openai")).href);

const client = new OpenAI({ maxRetries: 0 });
const decoded = (text) => Buffer.from(text, "base64");
const done = [];
const step = async (name, run) => {
  await run();
  done.push(name);
};

let picture, clip;

await step("files", async () => {
  const made = await client.files.create({
    file: await toFile(Buffer.from('{"a": 1}\n'), "train.jsonl"),
    purpose: "fine-tune",
    expires_after: { anchor: "created_at", seconds: 3600 },
  });
  assert.equal(made.bytes, 9);
  assert.equal((await client.files.waitForProcessing(made.id)).status, "processed");
  assert.deepEqual(await client.files.retrieve(made.id), made);
  assert.equal(await (await client.files.content(made.id)).text(), '{"a": 1}\n');
  assert.equal((await client.files.delete(made.id)).deleted, true);
  await assert.rejects(client.files.retrieve(made.id), OpenAI.NotFoundError);
});

await step("paging", async () => {
  for (let number = 0; number < 25; number++) {
    await client.files.create({ file: await toFile(Buffer.from("x"), `${number}.txt`), purpose: "page" });
  }
  const names = [];
  for await (const file of client.files.list({ limit: 10, order: "asc", purpose: "page" })) names.push(file.filename);
  assert.deepEqual(names, Array.from({ length: 25 }, (_, number) => `${number}.txt`));
});

await step("streamed upload", async () => {
  await writeFile("large.bin", Buffer.alloc(20_000_000, 7));
  const made = await client.files.create({ file: createReadStream("large.bin"), purpose: "user_data" });
  assert.equal(made.bytes, 20_000_000);
});

await step("images", async () => {
  const made = await client.images.generate({ model: "local/image", prompt: "a fox", size: "128x128" });
  picture = decoded(made.data[0].b64_json);
  assert.equal(picture.subarray(1, 4).toString(), "PNG");
  const edited = await client.images.edit({
    model: "local/image",
    prompt: "in winter",
    image: [await toFile(picture, "a.png", { type: "image/png" }), await toFile(picture, "b.png", { type: "image/png" })],
  });
  assert.ok(edited.data[0].b64_json);
  const types = [];
  const stream = await client.images.generate({
    model: "local/image", prompt: "a fox", size: "64x64", stream: true, partial_images: 1,
  });
  for await (const event of stream) types.push(event.type);
  assert.deepEqual(types, ["image_generation.partial_image", "image_generation.completed"]);
});

await step("audio", async () => {
  const spoken = await client.audio.speech.create({
    model: "tts-1", voice: "alloy", input: "The quick brown fox.", response_format: "wav",
  });
  const wave = Buffer.from(await spoken.arrayBuffer());
  const file = () => toFile(wave, "fox.wav");
  const written = (model, more) => file().then((file) => client.audio.transcriptions.create({ file, model, ...more }));
  assert.equal((await written("whisper-1")).text, "The quick brown fox.");
  assert.match(await written("whisper-1", { response_format: "vtt" }), /^WEBVTT\n/);
  const verbose = await written("whisper-1", {
    response_format: "verbose_json", timestamp_granularities: ["word", "segment"],
  });
  assert.equal(verbose.words.length, 4);
  let text = "";
  for await (const event of await written("gpt-4o-transcribe", { stream: true })) text += event.delta ?? "";
  assert.equal(text, "The quick brown fox.");
  const translated = await client.audio.translations.create({ file: await file(), model: "whisper-1" });
  assert.equal(translated.text, "The quick brown fox.");
});

await step("videos", async () => {
  const wait = async (video) => {
    while (["queued", "in_progress"].includes(video.status)) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      video = await client.videos.retrieve(video.id);
    }
    assert.equal(video.status, "completed");
    return video;
  };
  const made = await wait(
    await client.videos.create({ model: "local/video", prompt: "a kite", seconds: "1", size: "64x64" }),
  );
  assert.equal(made.seconds, "1");
  clip = Buffer.from(await (await client.videos.downloadContent(made.id)).arrayBuffer());
  assert.equal(clip.subarray(4, 8).toString(), "ftyp");
  const small = await client.videos.downloadContent(made.id, { variant: "thumbnail" });
  assert.equal(small.headers.get("content-type"), "image/webp");
  const remix = await wait(await client.videos.remix(made.id, { prompt: "in winter" }));
  assert.equal(remix.remixed_from_video_id, made.id);
  if (client.videos.edit) {
    assert.equal((await wait(await client.videos.edit({ prompt: "in sepia", video: { id: made.id } }))).seconds, "1");
    const longer = await client.videos.extend({ prompt: "it flies", seconds: "4", video: { id: made.id } });
    assert.equal((await wait(longer)).seconds, "5");
  }
  const seen = [];
  for await (const video of client.videos.list({ limit: 1 })) seen.push(video.id);
  assert.ok(seen.includes(made.id) && seen.includes(remix.id));
  const begun = await client.videos.create({
    model: "local/video", prompt: "it runs", seconds: "1", size: "128x128",
    input_reference: await toFile(picture, "fox.png", { type: "image/png" }),
  });
  assert.equal((await wait(begun)).size, "128x128");
  assert.equal((await client.videos.delete(made.id)).deleted, true);
});

await step("models", async () => {
  const listed = [];
  for await (const model of client.models.list()) listed.push(model.id);
  assert.ok(listed.includes("openai/sora-2"));
  assert.equal((await client.models.retrieve("openai/sora-2")).owned_by, "openai");
});

await step("errors", async () => {
  const failed = async (promise, kind, status) => {
    const error = await promise.then(() => assert.fail("no error"), (error) => error);
    assert.ok(error instanceof kind, `${error}`);
    assert.equal(error.status, status);
    assert.match(error.requestID ?? error.request_id, /^req_/);
    return error;
  };
  const refused = await failed(
    client.images.generate({ model: "gpt-image-2", prompt: "a fox", size: "10x10" }), OpenAI.BadRequestError, 400,
  );
  assert.equal(refused.param, "size");
  await failed(client.images.generate({ model: "none", prompt: "a fox" }), OpenAI.NotFoundError, 404);
  await failed(client.videos.retrieve("video_none"), OpenAI.NotFoundError, 404);
  const stranger = { headers: { Authorization: "Basic x" } };
  await failed(client.models.retrieve("sora-2", stranger), OpenAI.AuthenticationError, 401);
});

console.log(done.join("\n"));
