/**
 * The `files` source: keeps the index in step with a folder of manifests (ImageCache, ConfigMap eci-profile, Selector,
 * Namespace, Node). If a file cannot be parsed, all objects that it had stay; if an object cannot be read, its last
 * state stays, and the other objects of its file take effect.
 */
import type { Clock } from '../../clock.ts';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, Unreadable } from '../../core/kubernetes/problem.ts';
import type { ClusterIndex } from '../../index/cluster-index.ts';
import { identify, isUsed, readEntry, type IndexEntry } from '../kinds/index-entry.ts';
import { readManifest } from '../kinds/manifest.ts';
import type { KindStatus, Source, SourceEvents } from '../source.ts';
import { formatProblem, readDocuments, toProblem, type FileProblem } from './documents.ts';
import { Folder } from './folder.ts';

/** Milliseconds between two polls. A change is seen by the second poll after it, well within a second. */
const POLL_EVERY_MS = 200;

interface HeldFile {
  /** The objects of the file, by their identity (kinds/index-entry.ts). */
  readonly objects: ReadonlyMap<string, IndexEntry>;
  readonly problems: readonly FileProblem[];
}

const NOTHING: HeldFile = { objects: new Map(), problems: [] };

export class FilesSource implements Source {
  readonly #folder: Folder;
  readonly #index: ClusterIndex;
  readonly #events: SourceEvents;
  readonly #clock: Clock;
  readonly #files = new Map<string, HeldFile>();
  /** The entries that the index holds, by identity. */
  #inForce = new Map<string, IndexEntry>();
  #problems: readonly string[] = [];
  #folderProblem: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #polling: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(path: string, index: ClusterIndex, events: SourceEvents, clock: Clock) {
    this.#folder = new Folder(path);
    this.#index = index;
    this.#events = events;
    this.#clock = clock;
  }

  problems(): readonly string[] {
    return this.#folderProblem === undefined ? this.#problems : [this.#folderProblem, ...this.#problems];
  }

  status(): readonly KindStatus[] {
    const counts = new Map<string, number>();
    for (const { kind } of this.#inForce.values()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    const state = this.#folderProblem === undefined ? 'watching' : 'retrying';
    const confirmedAtMs = this.#index.confirmedAtMs();
    return [...counts].map(([kind, objects]) => ({ kind, objects, state, confirmedAtMs }));
  }

  async start(): Promise<void> {
    await this.#poll();
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#polling;
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#polling = this.#pollAgain();
    }, POLL_EVERY_MS);
  }

  /** Never rejects: while the folder cannot be read, the index is kept, and becomes stale. */
  async #pollAgain(): Promise<void> {
    try {
      await this.#poll();
      this.#folderProblem = undefined;
    } catch (error) {
      const problem = messageOf(error);
      if (problem !== this.#folderProblem) this.#events.onProblem(problem);
      this.#folderProblem = problem;
    }
    this.#schedule();
  }

  async #poll(): Promise<void> {
    const { changed, removed } = await this.#folder.poll();
    for (const file of removed) this.#files.delete(file);
    // One after the other: a thousand files at once would run out of file descriptors.
    // oxlint-disable-next-line no-await-in-loop
    for (const file of changed) this.#files.set(file, await this.#read(file));
    if (changed.length + removed.length > 0) this.#bringInForce();
    this.#index.confirm(this.#clock.now());
  }

  async #read(file: string): Promise<HeldFile> {
    const path = join(this.#folder.path, file);
    const before = this.#files.get(file) ?? NOTHING;
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      const message = `cannot be read: ${messageOf(error)}`;
      return { objects: before.objects, problems: [{ file: path, line: undefined, message }] };
    }
    const { documents, syntaxErrors } = readDocuments(path, text);
    if (syntaxErrors.length > 0) return { objects: before.objects, problems: syntaxErrors };

    const objects = new Map<string, IndexEntry>();
    const problems: FileProblem[] = [];
    for (const document of documents) {
      let identity: string | undefined;
      try {
        const manifest = readManifest(document.value);
        if (!isUsed(manifest)) continue;
        identity = identify(manifest);
        if (objects.has(identity))
          throw new Unreadable('metadata.name', `is not unique: ${identity} is already in this file`);
        const entry = readEntry(manifest);
        objects.set(identity, entry);
        problems.push(...entry.problems.map((problem) => toProblem(path, document, problem)));
      } catch (error) {
        problems.push(toProblem(path, document, error));
        const former = identity === undefined ? undefined : before.objects.get(identity);
        if (identity !== undefined && former && !objects.has(identity)) objects.set(identity, former);
      }
    }
    return { objects, problems };
  }

  /** Makes the index hold what the files hold. */
  #bringInForce(): void {
    const { wanted, problems } = this.#merge();
    const gone = [...this.#inForce].filter(([identity]) => !wanted.has(identity));
    const changed = [...wanted].filter(([identity, entry]) => this.#inForce.get(identity) !== entry);
    for (const [, entry] of gone) entry.delete(this.#index);
    for (const [, entry] of changed) entry.apply(this.#index);
    this.#inForce = wanted;
    this.#reportProblems(problems.map(formatProblem));
    this.#events.onChange({ applied: changed.length, deleted: gone.length });
    this.#events.onProgress(`${changed.length} objects read, ${gone.length} gone`);
  }

  /** The objects of all files. If two objects have the same identity, the object in the first file counts. */
  #merge(): { wanted: Map<string, IndexEntry>; problems: FileProblem[] } {
    const wanted = new Map<string, IndexEntry>();
    const holder = new Map<string, string>();
    const problems: FileProblem[] = [];
    for (const [name, held] of [...this.#files].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      const file = join(this.#folder.path, name);
      problems.push(...held.problems);
      for (const [identity, entry] of held.objects) {
        const first = holder.get(identity);
        if (first !== undefined) {
          const message = `${identity} is in ${first} already; this one is ignored`;
          problems.push({ file, line: undefined, message });
          continue;
        }
        wanted.set(identity, entry);
        holder.set(identity, file);
      }
    }
    return { wanted, problems };
  }

  #reportProblems(problems: readonly string[]): void {
    const known = new Set(this.#problems);
    this.#problems = problems;
    for (const problem of problems) if (!known.has(problem)) this.#events.onProblem(problem);
  }
}
