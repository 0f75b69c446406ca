// One stream of server-sent events: its format, its connection, and the reply that is awaited on it. Every
// arrival is stamped where the bytes come in, so a sample ends when its event came and not when its thread
// looked. In a plan this stands before sse.groovy, in one script.
import groovy.json.JsonSlurper
import groovy.transform.CompileStatic
import java.net.http.HttpResponse
import java.nio.ByteBuffer
import java.nio.charset.StandardCharsets
import java.util.concurrent.CompletableFuture
import java.util.concurrent.CompletionStage
import java.util.concurrent.Flow
import java.util.concurrent.locks.LockSupport
import java.util.function.BooleanSupplier

// What outlives a connection: who waits, and what the server said for the next one.
@CompileStatic
class Source {
    final Thread thread = Thread.currentThread()
    volatile String lastEventId = ''
    volatile long retryMs = 3000
}

// The stream format, as "Server-sent events" in the WHATWG's HTML standard (9.2.6) has it read.
@CompileStatic
class EventParser {
    final EventStream stream
    private final ByteArrayOutputStream line = new ByteArrayOutputStream(256)
    private final StringBuilder data = new StringBuilder()
    private String event = '', id
    private boolean afterCr, begun

    EventParser(EventStream stream) {
        this.stream = stream
        id = stream.source.lastEventId
    }

    // A line ends at CR, LF or CRLF: at the CR, for the LF may be long in coming.
    void feed(ByteBuffer bytes, long atNs) {
        while (bytes.hasRemaining()) {
            int b = bytes.get()
            boolean secondOfTwo = afterCr && b == 10
            afterCr = b == 13
            if (secondOfTwo) continue
            if (b == 10 || b == 13) endOfLine(atNs) else line.write(b)
        }
    }

    private void endOfLine(long atNs) {
        String text = new String(line.toByteArray(), StandardCharsets.UTF_8)
        line.reset()
        if (!begun && text.startsWith('\uFEFF')) text = text.substring(1)
        begun = true
        if (text.isEmpty()) {
            dispatch(atNs)
            return
        }
        int colon = text.indexOf(':')
        if (colon == 0) return // a comment
        String field = colon < 0 ? text : text.substring(0, colon)
        String value = colon < 0 ? '' : text.substring(text.startsWith(' ', colon + 1) ? colon + 2 : colon + 1)
        switch (field) {
            case 'event': event = value; break
            case 'data': data.append(value).append('\n'); break
            case 'id': if (value.indexOf(0) < 0) id = value; break
            case 'retry': if (value ==~ /[0-9]{1,9}/) stream.source.retryMs = Long.parseLong(value); break
        }
    }

    private void dispatch(long atNs) {
        stream.source.lastEventId = id
        String type = event ?: 'message'
        event = ''
        if (data.length() == 0) return
        String text = data.substring(0, data.length() - 1)
        data.setLength(0)
        stream.arrived(type, text, atNs)
    }
}

// A reply that is waited for.
@CompileStatic
class Reply {
    final String id
    final CompletableFuture<Long> arrivalNs = new CompletableFuture<>()
    volatile String text

    Reply(String id) { this.id = id }
}

@CompileStatic
class StreamEndedException extends IOException {
    StreamEndedException() { super('the stream ended') }
}

// One opened connection: takes the response's headers, then its bytes as they come.
@CompileStatic
class EventStream implements HttpResponse.BodyHandler<Void>, HttpResponse.BodySubscriber<Void>, BooleanSupplier {
    final Source source
    final URI uri
    final long startNs = System.nanoTime()
    final CompletableFuture<Void> answered = new CompletableFuture<>()
    final CompletableFuture<Long> first = new CompletableFuture<>()
    volatile int status
    volatile boolean isEventStream
    volatile long openNs, endNs
    volatile boolean ended, closedByUs
    volatile Throwable fault
    volatile URI endpoint
    volatile String endpointFault
    volatile Reply awaited
    long silenceNs, silenceFromNs
    private EventParser parser
    private Flow.Subscription subscription
    private long lastNs

    EventStream(Source source, URI uri) {
        this.source = source
        this.uri = uri
    }

    boolean isOpened() { status == 200 && isEventStream }

    // Whether it broke: what a thread that waits for its next slot asks.
    boolean getAsBoolean() { ended }

    HttpResponse.BodySubscriber<Void> apply(HttpResponse.ResponseInfo info) {
        openNs = lastNs = System.nanoTime()
        isEventStream = info.headers().firstValue('content-type').orElse('').toLowerCase() ==~ /text\/event-stream\s*(;.*)?/
        status = info.statusCode()
        parser = new EventParser(this)
        return this
    }

    CompletionStage<Void> getBody() { CompletableFuture.<Void> completedFuture(null) }

    synchronized void onSubscribe(Flow.Subscription given) {
        subscription = given
        if (isOpened() && !ended) given.request(Long.MAX_VALUE) else given.cancel()
        answered.complete(null)
    }

    void onNext(List<ByteBuffer> buffers) {
        long now = System.nanoTime()
        heard(now)
        for (ByteBuffer bytes : buffers) parser.feed(bytes, now)
    }

    void onError(Throwable why) { end(why, false) }

    void onComplete() { end(null, false) }

    // At the end of the load; the server sees its connection closed.
    void close() { end(null, true) }

    private synchronized void heard(long now) {
        if (!ended && now - lastNs > silenceNs) {
            silenceNs = now - lastNs
            silenceFromNs = lastNs
        }
        lastNs = now
    }

    private synchronized void end(Throwable why, boolean byUs) {
        if (ended) return
        endNs = System.nanoTime()
        heard(endNs)
        fault = why
        closedByUs = byUs
        ended = true
        if (byUs && subscription != null) subscription.cancel()
        first.completeExceptionally(new StreamEndedException())
        awaited?.arrivalNs?.completeExceptionally(new StreamEndedException())
        LockSupport.unpark(source.thread)
    }

    void arrived(String type, String data, long atNs) {
        if (type == 'endpoint') {
            learn(data)
        } else if (type == 'message') {
            Reply reply = awaited
            if (reply != null && data.contains(reply.id) && idOf(data) == reply.id) {
                reply.text = data
                reply.arrivalNs.complete(atNs)
            }
        }
        first.complete(atNs)
    }

    // The token goes to no other host: as the official client does, so that a stream cannot send it there.
    private void learn(String told) {
        try {
            URI found = uri.resolve(told.trim())
            boolean same = origin(found) == origin(uri)
            endpointFault = same ? null : 'the endpoint is of another origin than the stream'
            endpoint = same ? found : null
        } catch (IllegalArgumentException ignored) {
            endpointFault = 'the endpoint is no URL'
        }
    }

    private static String origin(URI one) {
        String scheme = one.scheme?.toLowerCase()
        int port = one.port >= 0 ? one.port : scheme == 'https' ? 443 : 80
        return scheme + '://' + one.host?.toLowerCase() + ':' + port
    }

    // Of a reply: a request or a notification of the server's has a method.
    private static String idOf(String data) {
        try {
            Object message = new JsonSlurper().parseText(data)
            if (message instanceof Map && !message.containsKey('method')) return message.get('id')?.toString()
        } catch (RuntimeException ignored) {
            return null
        }
        return null
    }
}
