// Asks many addresses at once and waits for all of them. While it waits it holds no thread: each call is
// a suspension that the host answers in any order.
//
//   nexus run examples/fetch-many.ts --cap ext:http.get --allow-host example.com --args '{"urls": ["https://example.com/"]}'

interface Answer {
  url: string;
  status?: number;
  bytes?: number;
  title?: string;
  error?: string;
}

export default async function fetchMany({ args, ext, log, time }: Context<{ urls: string[] }>) {
  const start = time.now();
  const ask = async (url: string): Promise<Answer> => {
    try {
      const { status, body } = await ext.http.get(url, { timeoutMs: 10_000, maxBytes: 2_000_000 });
      const title = typeof body === 'string' ? /<title[^>]*>([^<]*)/i.exec(body)?.[1].trim() : undefined;
      return { url, status, bytes: body.length, title };
    } catch (error) {
      log.warn(`${url}: ${(error as Error).message}`);
      return { url, error: (error as Error).message };
    }
  };
  const answers = await Promise.all(args.urls.map(ask));
  return {
    answers,
    reached: answers.filter((answer) => answer.status !== undefined).length,
    took: time.now() - start,
  };
}
