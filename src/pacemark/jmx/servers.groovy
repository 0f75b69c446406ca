// Sessions: each thread has one with each MCP server that it asks, and opens it again when it is gone.
// This script prepares that, once a thread and before the pacing: it takes out of MIX what lacks one of the
// properties in its brackets, so that nothing is sent to a server without a URL, nor to the gateway without
// a token, and it chooses the thread's own port where BENCHMARK_URL is a range such as http://host:9000-9099.
// Each turn of a thread asks apply(ctx) for what is to be done next: to open a session, which takes no slot,
// or the request of the next slot (see the pacing). For each server NAME it keeps the variables
//   NAME_url      the thread's URL of it
//   NAME_header   the name of the session's header: X-No-Session where the server gives no session
//   NAME_session  its value
//   NAME_version  the protocol version that the server chose
// Calls through the gateway have threads of their own: a thread whose slot is one hands it over to them, so
// that no direct request waits for a thread while the gateway is slow. What they have not started when the
// load ends is dropped, and the log says how many those were.
// A failed assertion asks why(ctx), which alone reads the answer as JSON: that is done for failures only.
import groovy.json.JsonSlurper
import groovy.transform.CompileDynamic
import groovy.transform.CompileStatic
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicLong
import java.util.function.Function
import java.util.regex.Matcher
import java.util.regex.Pattern
import org.apache.jmeter.samplers.SampleResult
import org.apache.jmeter.threads.JMeterContext
import org.apache.jmeter.threads.JMeterVariables
import org.apache.jorphan.util.JMeterStopTestException
import org.slf4j.Logger
import org.slf4j.LoggerFactory

// A slot that was handed over: its request, its id, when it was due.
@CompileStatic
class Slot {
    String label, id
    long dueNs
}

@CompileStatic
class State {
    boolean viaGateway
    final Deque<String> closed = new ArrayDeque<>()
    final Set<String> open = new HashSet<>()
    String opening, asked
}

@CompileStatic
class Servers implements Function<JMeterContext, String> {
    static final Pattern PART = ~/\s*([0-9.]+% (.+?) \[(.*)\])\s*/
    static final Pattern RANGE = ~/(.*):(\d+)-(\d+)(\/.*)?/
    // 404 by the protocol; servers in the field say these others, too.
    static final Set<String> GONE = ['404', '400', '401', '422'] as Set

    static final String END = 'default'
    static final String GATEWAY = 'gateway'
    static final Logger log = LoggerFactory.getLogger('pacing')

    final Object engine
    final Properties props
    final String mix
    final int threads, gatewayThreads
    final LinkedBlockingQueue<Slot> handedOver = new LinkedBlockingQueue<>()
    final Map<String, String> serverOf = [:]
    final AtomicLong openings = new AtomicLong()
    final String test = UUID.randomUUID().toString().substring(0, 8)

    Servers(Object engine, Properties props, JMeterVariables vars) {
        this.engine = engine
        this.props = props
        List<String> sessions = vars.get('SESSIONS').split(',').collect { it.trim() }
        List<String> sent = []
        for (String part : vars.get('MIX').split(';')) {
            Matcher m = PART.matcher(part)
            if (!m.matches()) throw new JMeterStopTestException('MIX: cannot read "' + part.trim() + '"')
            String label = m.group(2)
            if (m.group(3).split(',').every { vars.get(it.trim()) }) {
                sent << m.group(1).substring(0, m.group(1).indexOf(' ['))
                String server = label.substring(0, label.indexOf(' '))
                if (server in sessions && !(label ==~ /\S+ (GET|POST) .*/)) serverOf.put(label, server)
            }
        }
        if (!sent) throw new JMeterStopTestException('no server is given: set FAST_TIME_URL, FAST_TEST_URL or BENCHMARK_URL')
        mix = sent.join('; ')
        threads = Integer.parseInt(vars.get('THREADS'))
        String wanted = vars.get('GATEWAY_THREADS') ?: String.valueOf(Math.max(1, threads.intdiv(4).intValue()))
        boolean both = serverOf.containsValue(GATEWAY) && sent.any { !it.contains('% gateway ') }
        gatewayThreads = both ? Math.min(Integer.parseInt(wanted), threads - 1) : 0
    }

    // How many of the threads before this one call through the gateway; they are spread over all.
    private int gatewayThreadsBefore(int thread) {
        return ((long) thread * gatewayThreads).intdiv(threads).intValue()
    }

    // One for the whole test, whichever thread comes first, and each thread's own variables.
    static void start(JMeterContext ctx, Properties props) {
        Servers servers
        synchronized (props) {
            servers = props.get('servers') instanceof Servers ? (Servers) props.get('servers') : null
            if (servers == null || !servers.engine.is(ctx.engine)) {
                servers = new Servers(ctx.engine, props, ctx.variables)
                props.put('servers', servers)
            }
        }
        servers.prepare(ctx.variables, ctx.threadNum)
    }

    private void prepare(JMeterVariables vars, int thread) {
        int before = gatewayThreadsBefore(thread)
        State state = new State(viaGateway: gatewayThreadsBefore(thread + 1) > before)
        vars.put('MIX', mix)
        for (String server : vars.get('SERVERS').split(',').collect { it.trim() }) {
            String url = vars.get(server.toUpperCase() + '_URL') ?: ''
            Matcher m = RANGE.matcher(url)
            if (m.matches()) {
                int from = Integer.parseInt(m.group(2)), to = Integer.parseInt(m.group(3))
                if (to < from) throw new JMeterStopTestException(server.toUpperCase() + '_URL: no ports in ' + url)
                url = m.group(1) + ':' + (from + (thread - before) % (to - from + 1)) + (m.group(4) ?: '')
            }
            vars.put(server + '_url', url.endsWith('/') ? url[0..-2] : url)
            without(vars, server)
            boolean mine = gatewayThreads == 0 || (server == GATEWAY) == state.viaGateway
            if (mine && serverOf.containsValue(server)) state.closed.add(server)
        }
        vars.putObject('sessions', state)
    }

    private static void without(JMeterVariables vars, String server) {
        vars.put(server + '_header', 'X-No-Session')
        vars.put(server + '_session', 'none')
        vars.put(server + '_version', vars.get(server.toUpperCase() + '_PROTOCOL') ?: '')
    }

    // "open NAME", or what the pacing says. A session is opened at most once for each request that found it
    // gone, so a server that is off is not hammered.
    String apply(JMeterContext ctx) {
        JMeterVariables vars = ctx.variables
        State state = (State) vars.getObject('sessions')
        SampleResult last = ctx.previousResult
        if (state.opening != null) {
            if (last.successful) state.open.add(state.opening)
            state.opening = null
        } else if (state.asked != null && last != null) {
            if (!last.successful && last.responseCode in GONE) state.open.remove(state.asked)
            if (!state.open.contains(state.asked)) state.closed.add(state.asked)
        }
        state.asked = null
        String server = state.closed.poll()
        if (server == null) {
            String label = state.viaGateway ? taken(vars) : own(ctx)
            state.asked = serverOf.get(label)
            return label
        }
        state.opening = server
        without(vars, server)
        vars.put('REQUEST_ID', test + '-open-' + openings.getAndIncrement())
        vars.put('late_ms', '')
        vars.put('waited', '2')
        return 'open ' + server
    }

    // The next slot that is not the gateway's.
    private String own(JMeterContext ctx) {
        JMeterVariables vars = ctx.variables
        while (true) {
            String label = take(ctx)
            if (label == END && over()) drop()
            if (gatewayThreads == 0 || serverOf.get(label) != GATEWAY) return label
            long lateNs = Long.parseLong(vars.get('late_ms')) * 1_000_000L
            handedOver.add(new Slot(label: label, id: vars.get('REQUEST_ID'), dueNs: System.nanoTime() - lateNs))
        }
    }

    // The next slot that was handed over.
    private String taken(JMeterVariables vars) {
        boolean waited = handedOver.isEmpty()
        Slot slot = null
        while (slot == null) {
            if (over()) {
                drop()
                return END
            }
            try {
                slot = handedOver.poll(100L, TimeUnit.MILLISECONDS)
            } catch (InterruptedException ignored) {
                return END
            }
        }
        vars.put('REQUEST_ID', slot.id)
        vars.put('late_ms', Long.toString((System.nanoTime() - slot.dueNs).intdiv(1_000_000L).longValue()))
        vars.put('waited', waited ? '1' : '0')
        return slot.label
    }

    private void drop() {
        List<Slot> left = []
        handedOver.drainTo(left)
        if (left) log.info('{} slots were handed over and never sent', left.size())
    }

    // The pacing's class is another script's.
    @CompileDynamic
    private String take(JMeterContext ctx) {
        return props.get('pacer').take(ctx)
    }

    @CompileDynamic
    private boolean over() {
        return props.get('pacer').over()
    }

    // What is wrong with the answer at hand, in a word that "pacemark stats" knows.
    String why(JMeterContext ctx) {
        try {
            return named(ctx.previousResult.responseDataAsString, ctx.variables.get('REQUEST_ID'))
        } catch (Exception ignored) {
            return 'check failed: not a JSON-RPC message'
        }
    }

    private static String named(String body, String id) {
        List<Map> answers = (List<Map>) messages(body).findAll { it instanceof Map && (it.containsKey('result') || it.containsKey('error')) }
        if (!answers) return 'check failed: no answer in it'
        Map mine = answers.find { it.get('id') == id }
        // An error in reading the request cannot know its id.
        Map answer = mine ?: answers.find { it.get('id') == null && it.get('error') != null }
        if (answer == null) return 'wrong id'
        if (answer.get('error') != null) {
            Object code = answer.get('error') instanceof Map ? ((Map) answer.get('error')).get('code') : null
            return code instanceof Integer || code instanceof Long ? 'json-rpc error ' + code : 'json-rpc error without a code'
        }
        Map result = answer.get('result') instanceof Map ? (Map) answer.get('result') : [:]
        if (result.get('isError') == true) return 'tool error'
        if (result.containsKey('protocolVersion')) return 'check failed: initialize'
        return result.get('content') ? 'check failed: it does not say what was asked' : 'check failed: result.content[0]'
    }

    // Of a JSON body the message, of an event stream the data of every event.
    private static List messages(String body) {
        JsonSlurper json = new JsonSlurper()
        if (body.stripLeading().startsWith('{')) return [json.parseText(body)]
        List<Object> found = []
        for (String event : body.split(/\r?\n\r?\n|\r\r/)) {
            List<String> data = event.readLines().findAll { it.startsWith('data:') }.collect { it.substring(5) }
            if (data.any { it.trim() }) found << json.parseText(data.join('\n'))
        }
        return found
    }
}

try {
    Servers.start(ctx, props)
    return 0L
} catch (JMeterStopTestException e) {
    throw e
} catch (Throwable e) {
    // JMeter would only log it.
    throw new JMeterStopTestException('the sessions failed: ' + e, e)
}
