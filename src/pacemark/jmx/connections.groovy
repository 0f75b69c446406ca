// Connections: a thread is a WebSocket connection, and this says what it does next. Each turn of a thread asks
// apply(ctx), so that no script runs for a message; it answers with the name of a child of the switch:
//   ws, wss                 the handshake: at the start, and after a connection was lost
//   one of the names in MIX a message, in the next of the thread's own slots (see the pacing)
//   WS close                when the slots are used up
//   WS connection lifetime  the connection has ended: a row that says how long it lasted, and why it ended
//   default                 the thread ends
// A message that was not answered by its own reply ends its connection: else the late frame would answer the
// next message. An answer that is an error, or not what was expected, but bears the message's id, does not.
// Handshakes are 1 s apart where they fail. Slots that were due while there was no connection are dropped.
// The handshake takes its address in parts: WS_HOST, WS_PORT and WS_PATH are made of GATEWAY_URL here.
import eu.luminis.jmeter.wssampler.WebsocketSampler
import eu.luminis.websocket.WebSocketClient
import groovy.transform.CompileDynamic
import groovy.transform.CompileStatic
import java.lang.reflect.Field
import java.util.function.Function
import org.apache.jmeter.assertions.AssertionResult
import org.apache.jmeter.samplers.SampleResult
import org.apache.jmeter.threads.JMeterContext
import org.apache.jmeter.threads.JMeterVariables
import org.apache.jmeter.util.JsseSSLManager
import org.apache.jmeter.util.SSLManager
import org.apache.jorphan.util.JMeterStopTestException

@CompileStatic
class Connection {
    String doing = ''
    WebSocketClient client
    long sinceMs
    // The sample that ended it.
    SampleResult last
    boolean leaving
}

@CompileStatic
class Connections implements Function<JMeterContext, String> {
    static final String CLOSE = 'WS close', ENDED = 'WS connection lifetime', END = 'default'
    static final long BETWEEN_HANDSHAKES_MS = 1000L
    static final int GOING_AWAY = 1001
    final Object engine
    final Properties props
    final String handshake, host, path
    final int port
    final ThreadLocal<WebSocketClient> ofThread

    Connections(Object engine, Properties props, String gateway, String endpoint) {
        this.engine = engine
        this.props = props
        URI uri
        try {
            uri = new URI(gateway)
        } catch (URISyntaxException e) {
            throw new JMeterStopTestException('GATEWAY_URL: ' + e.message)
        }
        if (!(uri.scheme in ['http', 'https', 'ws', 'wss']) || !uri.host)
            throw new JMeterStopTestException('GATEWAY_URL must be an http or https address, not ' + gateway)
        boolean tls = uri.scheme in ['https', 'wss']
        handshake = tls ? 'wss' : 'ws'
        host = uri.host
        port = uri.port > 0 ? uri.port : tls ? 443 : 80
        path = (uri.rawPath ?: '').replaceFirst('/$', '') + endpoint
        // The sampler keeps a thread's connection where only its own package sees it, and forgets one that the
        // server has closed without closing its own end.
        Field field = WebsocketSampler.getDeclaredField('threadLocalCachedConnection')
        field.accessible = true
        ofThread = (ThreadLocal<WebSocketClient>) field.get(null)
        loadWhatTheFirstHandshakeNeeds(tls)
    }

    // Before the clock starts, not in the first handshake.
    private static void loadWhatTheFirstHandshakeNeeds(boolean tls) {
        if (tls) ((JsseSSLManager) SSLManager.instance).context
        try {
            new WebSocketClient(new URL('http://127.0.0.1:9/')).connect(1, 1)
        } catch (IOException ignored) {
            // Nobody is there.
        }
    }

    // One a test, whichever thread comes first; a second run in the GUI has a new engine.
    static void start(JMeterContext ctx, Properties props) {
        JMeterVariables vars = ctx.variables
        Connections all
        synchronized (props) {
            all = (Connections) props.get('connections')
            if (all == null || !all.engine.is(ctx.engine)) {
                all = new Connections(ctx.engine, props, vars.get('GATEWAY_URL'), vars.get('WS_ENDPOINT'))
                props.put('connections', all)
            }
        }
        vars.put('WS_HOST', all.host)
        vars.put('WS_PORT', Integer.toString(all.port))
        vars.put('WS_PATH', all.path)
        vars.putObject('connection', new Connection())
    }

    // The name of what to do now. It returns when that is due.
    String apply(JMeterContext ctx) {
        Connection mine = (Connection) ctx.variables.getObject('connection')
        SampleResult result = ctx.previousResult
        switch (mine.doing) {
            case '':
                begin(ctx)
                break
            case ENDED:
                break
            case handshake:
                if (result.successful) opened(ctx, mine, result)
                else pause()
                break
            case CLOSE:
                mine.last = result
                return ask(ctx, mine, ENDED)
            default:
                if (!result.successful && !isAnswered(result, ctx.variables)) {
                    mine.last = result
                    return ask(ctx, mine, ENDED)
                }
        }
        if (mine.leaving) return END
        if (mine.client == null && !isOver()) return ask(ctx, mine, handshake)
        String name = takeOwn(ctx)
        if (name == END) {
            mine.leaving = true
            return mine.client == null ? END : ask(ctx, mine, CLOSE)
        }
        // A message has no headers.
        ctx.variables.put('trace_id', '')
        return mine.doing = name
    }

    // Fills in the row that says how long the connection lasted.
    void ended(JMeterContext ctx, SampleResult row) {
        Connection mine = (Connection) ctx.variables.getObject('connection')
        SampleResult last = mine.last
        lasted(row, mine.sinceMs, last.endTime)
        row.responseCode = last.responseCode
        row.responseMessage = last.responseMessage
        // A server that closed before us has sent another code than ours.
        if (!mine.leaving || !last.successful || !(last.responseCode in ['1000', ''])) {
            row.successful = false
            for (AssertionResult finding : last.assertionResults) row.addAssertionResult(finding)
        }
        letGo(mine.client)
        mine.client = null
    }

    private void opened(JMeterContext ctx, Connection mine, SampleResult result) {
        mine.client = ofThread.get()
        mine.sinceMs = result.endTime
        skipOwn(ctx)
    }

    // A close frame as far as it can still be sent, then TCP's own end.
    private void letGo(WebSocketClient client) {
        try {
            client.sendClose(GOING_AWAY, 'no reply')
        } catch (IOException | IllegalStateException ignored) {
            // It is gone or closed already.
        }
        client.dispose()
        ofThread.remove()
    }

    private static boolean isAnswered(SampleResult result, JMeterVariables vars) {
        return result.responseCode == '200' && result.responseDataAsString.contains('"' + vars.get('REQUEST_ID') + '"')
    }

    private void pause() {
        long until = System.nanoTime() + BETWEEN_HANDSHAKES_MS * 1_000_000L
        while (System.nanoTime() - until < 0L && !isOver()) {
            try {
                Thread.sleep(20L)
            } catch (InterruptedException ignored) {
                Thread.currentThread().interrupt()
                return
            }
        }
    }

    // What is no message has no slot: it starts when it starts.
    private String ask(JMeterContext ctx, Connection mine, String name) {
        if (name != handshake) ctx.variables.put('trace_id', '')
        ctx.variables.put('late_ms', '0')
        ctx.variables.put('waited', '2')
        return mine.doing = name
    }

    // The pacing is another script's class. Its calls cost some 50 ns each so.
    @CompileDynamic
    private String takeOwn(JMeterContext ctx) {
        return props.get('pacer').takeOwn(ctx)
    }

    @CompileDynamic
    private void begin(JMeterContext ctx) {
        props.get('pacer').beginOwn(ctx)
    }

    @CompileDynamic
    private void skipOwn(JMeterContext ctx) {
        props.get('pacer').skipOwn(ctx)
    }

    @CompileDynamic
    private boolean isOver() {
        return props.get('pacer').over()
    }

    @CompileDynamic
    private static void lasted(SampleResult row, long sinceMs, long untilMs) {
        row.setStartTime(sinceMs)
        row.setEndTime(untilMs)
    }
}

try {
    Connections.start(ctx, props)
    return 0L
} catch (JMeterStopTestException e) {
    throw e
} catch (Throwable e) {
    // JMeter would only log it.
    throw new JMeterStopTestException('the connections failed: ' + e, e)
}
