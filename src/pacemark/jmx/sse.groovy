// Streams of server-sent events: a thread is a stream, held open to the end of the load and opened anew when
// it breaks. One client (java.net.http, HTTP/1.1) reads all of them (see event_stream.groovy).
// This script only makes the client, once a test. Each turn of a thread asks apply(ctx), which waits for what
// is next on the thread's stream and names the sampler that makes or tells it:
//   SSE connect, SSE reconnect          until the response's headers
//   SSE first event                     from the request until the first event, which names the endpoint
//   a message of MIX                    from the post until the reply's event
//   SSE stream lifetime                 from the headers until the end: failed when we were not who ended it
//   SSE longest silence in a lifetime   the longest time without a byte
//   SSE outage lifetime                 from the end until open again; failed when the load ended before that
// Where a sample tells what has been already, its start and elapsed are set to when that was.
import groovy.json.JsonSlurper
import groovy.transform.CompileDynamic
import groovy.transform.CompileStatic
import java.lang.reflect.Method
import java.net.http.HttpClient
import java.net.http.HttpRequest
import java.net.http.HttpResponse
import java.nio.ByteBuffer
import java.time.Duration
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CompletionException
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.ExecutionException
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit
import java.util.concurrent.TimeoutException
import java.util.concurrent.locks.LockSupport
import java.util.function.Function
import org.apache.jmeter.assertions.AssertionResult
import org.apache.jmeter.samplers.SampleResult
import org.apache.jmeter.threads.JMeterContext
import org.apache.jmeter.threads.JMeterVariables
import org.apache.jmeter.util.JMeterUtils
import org.apache.jorphan.util.JMeterStopTestException

// A thread's stream through all its connections.
@CompileStatic
class Line extends Source {
    final ArrayDeque<String> todo = new ArrayDeque<>()
    volatile EventStream stream
    EventStream broken // the connection whose outage this is
    long retryAtNs // 0: not waiting
    boolean wasAway // so that slots fell due
    boolean tried, over, left
}

@CompileStatic
class EventStreams implements Function<JMeterContext, String> {
    static final int CONNECT_S = 5, ANSWER_S = 30
    static final String END = 'default', CONNECT = 'SSE connect', RECONNECT = 'SSE reconnect'
    static final String FIRST_EVENT = 'SSE first event', OUTAGE = 'SSE outage lifetime'
    static final List<String> ENDED = ['SSE stream lifetime', 'SSE longest silence in a lifetime']
    // Protected; a sample that tells what has been must say when that was.
    static final Method START = SampleResult.getDeclaredMethod('setStartTime', long)

    final Object engine
    final HttpClient client
    final String toProxy
    final Map<Integer, Line> lines = new ConcurrentHashMap<>()

    EventStreams(Object engine) {
        this.engine = engine
        START.accessible = true
        toProxy = proxyAuthorization()
        // A server such as uvicorn closes an idle connection after 5 s: before that we do.
        if (System.getProperty('jdk.httpclient.keepalive.timeout') == null) System.setProperty('jdk.httpclient.keepalive.timeout', '4')
        client = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(Duration.ofSeconds(CONNECT_S))
            .executor(Executors.newFixedThreadPool(2 * Runtime.runtime.availableProcessors() + 2, EventStreams.&daemon))
            .build()
        loadWhatTheFirstRequestNeeds()
    }

    private static Thread daemon(Runnable work) {
        Thread thread = new Thread(work, 'event-streams')
        thread.daemon = true
        return thread
    }

    // A request to a closed port: before the clock starts, not in the first sample.
    private void loadWhatTheFirstRequestNeeds() {
        EventStream none = new EventStream(new Line(), URI.create('http://127.0.0.1:9/'))
        open(none, new JMeterVariables()).exceptionally { null }.get(CONNECT_S, TimeUnit.SECONDS)
        none.status = 200
        none.isEventStream = true
        new EventParser(none).feed(ByteBuffer.wrap('data: {"id": 1}\n\n'.bytes), 0L)
        new JsonSlurper().parseText('{"id": 1}')
    }

    // One a test, whichever thread comes first; a second run in the GUI has a new engine.
    static void start(JMeterContext ctx, Properties props) {
        synchronized (props) {
            EventStreams all = (EventStreams) props.get('sse')
            if (all != null && all.engine.is(ctx.engine)) return
            // Of a run that was stopped.
            all?.lines?.values()?.each { Line line -> line.stream?.close() }
            props.put('sse', new EventStreams(ctx.engine))
        }
    }

    @CompileDynamic
    private static Object pacer() { JMeterUtils.getJMeterProperties().get('pacer') }

    @CompileDynamic
    private static String proxyAuthorization() { JMeterUtils.getJMeterProperties().get('access').toProxy }

    @CompileDynamic
    private static boolean loadIsOver() { pacer().over() }

    @CompileDynamic
    private static void beginning(JMeterContext ctx) { pacer().beginOwn(ctx) }

    // What fell due while nothing was open is not made up for.
    @CompileDynamic
    private static String slot(JMeterContext ctx, Line line) {
        if (line.wasAway) pacer().skipOwn(ctx)
        line.wasAway = false
        return pacer().takeHeld(ctx, line.stream)
    }

    // Once a thread, and last: the pacing counts who leaves.
    @CompileDynamic
    private static String leave(JMeterContext ctx, Line line) {
        if (!line.left) pacer().takeOwn(ctx)
        line.left = true
        return END
    }

    // What is to be done or told next. It returns when that is due.
    String apply(JMeterContext ctx) {
        Line line = lines.computeIfAbsent(ctx.threadNum) { Integer thread -> new Line() }
        if (!line.todo.isEmpty()) return told(ctx, line)
        if (line.over) return leave(ctx, line)
        unpaced(ctx.variables)
        if (line.retryAtNs != 0L) return again(ctx, line)
        if (line.stream == null) {
            beginning(ctx)
            return CONNECT
        }
        String name = slot(ctx, line)
        if (name != null && name != END) return name
        if (name == END) {
            line.stream.close()
            line.over = line.left = true
        }
        line.todo.addAll(ENDED)
        if (!line.stream.closedByUs) {
            line.broken = line.stream
            line.tried = false
            line.retryAtNs = line.stream.endNs + line.retryMs * 1_000_000L
        }
        return told(ctx, line)
    }

    // What has been already was sent with no trace of its own.
    private static String told(JMeterContext ctx, Line line) {
        ctx.variables.put('trace_id', '')
        return line.todo.removeFirst()
    }

    // After `retry`, unless the load ends before.
    private static String again(JMeterContext ctx, Line line) {
        line.wasAway = true
        while (line.retryAtNs - System.nanoTime() > 0L && !loadIsOver()) {
            LockSupport.parkNanos(Math.min(line.retryAtNs - System.nanoTime(), 200_000_000L))
            if (Thread.interrupted()) return END
        }
        if (loadIsOver()) {
            line.over = true
            return line.broken != null && line.tried ? OUTAGE : leave(ctx, line)
        }
        line.tried = true
        return line.broken == null ? CONNECT : RECONNECT
    }

    // Of samples that have no slot.
    private static void unpaced(JMeterVariables vars) {
        vars.remove('late_ms')
        vars.put('waited', '2')
    }

    private HttpRequest.Builder asked(URI uri, JMeterVariables vars) {
        HttpRequest.Builder request = HttpRequest.newBuilder(uri)
        String token = vars.get('TOKEN'), trace = vars.get('trace_id')
        if (trace) request.header('X-Correlation-ID', trace).header('traceparent', vars.get('traceparent'))
        if (token) request.header('Authorization', 'Bearer ' + token)
        if (toProxy) request.header('Proxy-Authorization', toProxy)
        tag(request, vars.getObject('apm'))
        return request
    }

    // For an APM, where one is named; the class is another script's.
    @CompileDynamic
    private static void tag(HttpRequest.Builder request, Object apm) {
        if (apm != null) request.header(apm.header, apm.tag.now)
    }

    private CompletableFuture<HttpResponse<Void>> open(EventStream stream, JMeterVariables vars) {
        HttpRequest.Builder request = asked(stream.uri, vars).header('Accept', 'text/event-stream')
            .header('Cache-Control', 'no-cache')
        if (stream.source.lastEventId) request.header('Last-Event-ID', stream.source.lastEventId)
        return client.sendAsync(request.build(), stream)
    }

    void connect(JMeterContext ctx, SampleResult result) {
        Line line = lines.get(ctx.threadNum)
        long startNs = System.nanoTime()
        CompletableFuture<HttpResponse<Void>> sent = null
        EventStream stream = null
        try {
            stream = new EventStream(line, URI.create(ctx.variables.get('GATEWAY_URL') + ctx.variables.get('MCP_SSE_ENDPOINT')))
            result.URL = stream.uri.toURL()
            result.samplerData = 'GET ' + stream.uri
            sent = open(stream, ctx.variables)
            CompletableFuture<Void> answered = stream.answered
            sent.whenComplete { Object response, Throwable why -> if (why != null) answered.completeExceptionally(why) }
            answered.get(ANSWER_S, TimeUnit.SECONDS)
            stamp(result, stream.startNs, stream.openNs)
            result.responseCode = Integer.toString(stream.status)
            if (stream.status != 200) result.successful = false
            else if (!stream.isEventStream) wrong(result, 'the answer is no event stream')
        } catch (Throwable why) {
            sent?.cancel(true)
            stamp(result, startNs, System.nanoTime())
            failed(result, why)
        }
        if (result.successful) {
            line.stream = stream
            line.retryAtNs = 0L
            if (line.broken != null) line.todo.add(OUTAGE)
            line.todo.add(FIRST_EVENT)
        } else {
            // An answer that comes after all opens no stream.
            stream?.close()
            line.retryAtNs = System.nanoTime() + line.retryMs * 1_000_000L
        }
    }

    void firstEvent(JMeterContext ctx, SampleResult result) {
        EventStream stream = lines.get(ctx.threadNum).stream
        result.samplerData = 'GET ' + stream.uri
        long endNs
        try {
            endNs = stream.first.get(ANSWER_S, TimeUnit.SECONDS)
            if (stream.endpoint == null) wrong(result, stream.endpointFault ?: 'the first event names no endpoint')
        } catch (ExecutionException ignored) {
            endNs = stream.endNs
            wrong(result, 'the stream ended before its first event')
        } catch (TimeoutException ignored) {
            endNs = System.nanoTime()
            wrong(result, 'no event within ' + ANSWER_S + ' s')
        }
        stamp(result, stream.startNs, endNs)
    }

    // Post a message and wait for its reply on the stream.
    void call(JMeterContext ctx, SampleResult result, String body) {
        EventStream stream = lines.get(ctx.threadNum).stream
        result.samplerData = body
        long startNs = System.nanoTime(), untilNs = startNs + ANSWER_S * 1_000_000_000L, endNs
        if (stream.endpoint == null) {
            wrong(result, stream.endpointFault ?: 'the stream named no endpoint')
            return
        }
        Reply reply = new Reply(ctx.variables.get('REQUEST_ID'))
        stream.awaited = reply
        if (stream.ended) reply.arrivalNs.completeExceptionally(new StreamEndedException())
        result.URL = stream.endpoint.toURL()
        CompletableFuture<HttpResponse<Void>> posted = client.sendAsync(
            asked(stream.endpoint, ctx.variables).header('Content-Type', 'application/json')
                .header('Accept', 'application/json').POST(HttpRequest.BodyPublishers.ofString(body)).build(),
            HttpResponse.BodyHandlers.discarding())
        try {
            int status = posted.get(ANSWER_S, TimeUnit.SECONDS).statusCode()
            result.responseCode = Integer.toString(status)
            if (status.intdiv(100) != 2) {
                result.successful = false
                endNs = System.nanoTime()
            } else {
                endNs = await(reply, result, untilNs)
            }
        } catch (Throwable why) {
            posted.cancel(true)
            endNs = System.nanoTime()
            failed(result, why)
        }
        stream.awaited = null
        stamp(result, startNs, endNs)
    }

    // The message was taken: what fails from here on is the reply.
    private static long await(Reply reply, SampleResult result, long untilNs) {
        try {
            long arrivalNs = reply.arrivalNs.get(Math.max(0L, untilNs - System.nanoTime()), TimeUnit.NANOSECONDS)
            result.setResponseData(reply.text, 'UTF-8')
            return arrivalNs
        } catch (TimeoutException ignored) {
            wrong(result, 'no reply within ' + ANSWER_S + ' s')
        } catch (ExecutionException ignored) {
            wrong(result, 'the stream ended before the reply')
        }
        return System.nanoTime()
    }

    void lifetime(JMeterContext ctx, SampleResult result) {
        EventStream stream = lines.get(ctx.threadNum).stream
        result.URL = stream.uri.toURL()
        stamp(result, stream.openNs, stream.endNs)
        if (stream.fault != null) failed(result, stream.fault)
        else if (!stream.closedByUs) wrong(result, 'the server ended the stream')
    }

    void silence(JMeterContext ctx, SampleResult result) {
        EventStream stream = lines.get(ctx.threadNum).stream
        stamp(result, stream.silenceFromNs, stream.silenceFromNs + stream.silenceNs)
    }

    void outage(JMeterContext ctx, SampleResult result) {
        Line line = lines.get(ctx.threadNum)
        boolean back = !line.broken.is(line.stream)
        stamp(result, line.broken.endNs, back ? line.stream.openNs : System.nanoTime())
        if (!back) wrong(result, 'not open again when the load ended')
        line.broken = null
    }

    private static void stamp(SampleResult result, long startNs, long endNs) {
        long startMs = result.currentTimeInMillis() - (System.nanoTime() - startNs + 500_000L).intdiv(1_000_000L).longValue()
        START.invoke(result, startMs)
        result.endTime = startMs + (endNs - startNs + 500_000L).intdiv(1_000_000L).longValue()
    }

    // What an assertion would find.
    private static void wrong(SampleResult result, String finding) {
        AssertionResult assertion = new AssertionResult('stream')
        assertion.failure = true
        assertion.failureMessage = finding
        result.addAssertionResult(assertion)
        result.successful = false
    }

    // As JMeter's own HTTP sampler tells of an exception.
    private static void failed(SampleResult result, Throwable thrown) {
        Throwable why = thrown
        while ((why instanceof CompletionException || why instanceof ExecutionException) && why.cause != null) why = why.cause
        if (why instanceof InterruptedException) Thread.currentThread().interrupt()
        List<String> said = []
        for (Throwable one = why; one != null && said.size() < 3; one = one.cause) if (one.message && !said.contains(one.message)) said << one.message
        result.successful = false
        result.responseCode = 'Non HTTP response code: ' + why.class.name
        result.responseMessage = 'Non HTTP response message: ' + said.join(': ')
    }
}

try {
    EventStreams.start(ctx, props)
    return 0L
} catch (Throwable e) {
    // JMeter would only log it.
    throw new JMeterStopTestException('the client for event streams failed: ' + e, e)
}
