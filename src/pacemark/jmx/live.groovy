// Live figures, for a Prometheus that scrapes this JMeter while it works. The plugin's listener keeps the
// endpoint and tells how many threads there are; this script, which runs once a test, gives it
//   jmeter_samples_total{label,outcome}  samples that ended; the outcome is ok, HTTP and the status, no answer,
//                                        or check failed
//   jmeter_response_seconds{label}       a histogram of the time to the answer since the request was due; the
//                                        bounds of its buckets, in seconds, are this script's parameter
//   jmeter_slots_due_total               requests that the load has made due so far (see the pacing)
// The plugin's own collectors know milliseconds of elapsed time only, and no outcome; and each of them takes one
// lock a sample, which all threads share.
import com.github.johrstrom.collector.JMeterCollectorRegistry
import com.github.johrstrom.listener.ListenerCollectorConfig
import com.github.johrstrom.listener.PrometheusListener
import com.github.johrstrom.listener.updater.AbstractUpdater
import groovy.transform.CompileDynamic
import groovy.transform.CompileStatic
import io.prometheus.client.Collector
import io.prometheus.client.Counter
import io.prometheus.client.CounterMetricFamily
import io.prometheus.client.Histogram
import java.lang.reflect.Field
import java.util.concurrent.ConcurrentHashMap
import java.util.regex.Pattern
import org.apache.jmeter.samplers.SampleEvent
import org.apache.jmeter.samplers.SampleResult
import org.apache.jmeter.threads.JMeterContext
import org.apache.jmeter.threads.JMeterThread
import org.apache.jorphan.collections.HashTree
import org.apache.jorphan.collections.SearchByClass
import org.apache.jorphan.util.JMeterStopTestException

// What the listener calls for every sample.
@CompileStatic
class LiveFigures extends AbstractUpdater {
    static final Pattern REFUSED = ~/[345]\d\d/, ANSWERED = ~/|[12]\d\d/
    final Object engine
    final Counter samples
    final Histogram response
    final int late
    // By label, and by outcome and label: looking one up in the collectors makes a list each time, and a closure
    // that becomes a Function in Groovy takes 20 us, so there is none here.
    final Map<String, Histogram.Child> responses = new ConcurrentHashMap<>()
    final Map<String, Map<String, Counter.Child>> counters = new ConcurrentHashMap<>()

    LiveFigures(Object engine, double[] buckets) {
        super(new ListenerCollectorConfig())
        this.engine = engine
        samples = Counter.build('jmeter_samples_total', 'Samples that ended.').labelNames('label', 'outcome').create()
        response = Histogram.build('jmeter_response_seconds', 'Time to the answer since the request was due.')
            .labelNames('label').buckets(buckets).create()
        late = (0..<SampleEvent.varCount).collect { int i -> SampleEvent.getVarName(i) }.indexOf('late_ms')
    }

    void update(SampleEvent event) {
        SampleResult result = event.result
        String label = result.sampleLabel
        counter(outcome(result), label).inc()
        // How long a connection lasted is no latency.
        if (label.endsWith(' lifetime')) return
        Histogram.Child mine = responses.get(label)
        if (mine == null) responses.put(label, mine = response.labels(label))
        mine.observe((double) (result.time + lateMs(event)) / 1000.0d)
    }

    // Two threads that make one at once are given the same by the collector.
    private Counter.Child counter(String outcome, String label) {
        Map<String, Counter.Child> ofOutcome = counters.get(outcome)
        if (ofOutcome == null) counters.put(outcome, ofOutcome = new ConcurrentHashMap<String, Counter.Child>())
        Counter.Child mine = ofOutcome.get(label)
        if (mine == null) ofOutcome.put(label, mine = samples.labels(label, outcome))
        return mine
    }

    private long lateMs(SampleEvent event) {
        String text = late < 0 ? null : event.getVarValue(late)
        return text == null || text.isEmpty() ? 0L : Long.parseLong(text)
    }

    private static String outcome(SampleResult result) {
        if (result.successful) return 'ok'
        String code = result.responseCode ?: ''
        if (REFUSED.matcher(code).matches()) return 'HTTP ' + code
        return ANSWERED.matcher(code).matches() ? 'check failed' : 'no answer'
    }
}

// Counted when it is asked for.
@CompileStatic
class SlotsDue extends Collector {
    final Properties props

    SlotsDue(Properties props) { this.props = props }

    List<Collector.MetricFamilySamples> collect() {
        Double due = sofar()
        if (due == null) return []
        return [(Collector.MetricFamilySamples) new CounterMetricFamily('jmeter_slots_due_total', 'Requests that the load has made due.', due)]
    }

    // The pacing's class is another script's. Null before it has begun, and where there are no slots.
    @CompileDynamic
    private Double sofar() {
        def pacer = props.get('pacer')
        return pacer != null && pacer.paced ? (double) pacer.due() : null
    }
}

@CompileStatic
class Live {
    static void start(JMeterContext ctx, Properties props, String buckets) {
        synchronized (props) {
            // Once a test by whichever thread comes first; a second run in the GUI has a new engine.
            Object found = props.get('live')
            if (found instanceof LiveFigures && ((LiveFigures) found).engine.is(ctx.engine)) return
            LiveFigures figures = new LiveFigures(ctx.engine, buckets.split(' ').collect { Double.parseDouble(it) } as double[])
            SearchByClass<PrometheusListener> listeners = new SearchByClass<>(PrometheusListener)
            ((HashTree) hidden(JMeterThread, ctx.thread, 'testTree')).traverse(listeners)
            if (listeners.searchResults.size() != 1) throw new JMeterStopTestException('the plan must have one Prometheus listener')
            ((List<AbstractUpdater>) hidden(PrometheusListener, listeners.searchResults.first(), 'updaters')).add(figures)
            JMeterCollectorRegistry registry = JMeterCollectorRegistry.instance
            // Of a run before it, which the plugin does not know of.
            if (props.get('live collectors') != null) ((List<Collector>) props.get('live collectors')).each { registry.unregister(it) }
            List<Collector> ours = [figures.samples, figures.response, new SlotsDue(props)]
            ours.each { registry.register(it) }
            props.put('live collectors', ours)
            props.put('live', figures)
        }
    }

    // The listener has no door for collectors of others, and JMeter hands no thread its tree.
    private static Object hidden(Class<?> type, Object of, String name) {
        Field field = type.getDeclaredField(name)
        field.accessible = true
        return field.get(of)
    }
}

try {
    Live.start(ctx, props, Parameters)
    return 0L
} catch (JMeterStopTestException e) {
    throw e
} catch (Throwable e) {
    // JMeter would only log it.
    throw new JMeterStopTestException('the live figures failed: ' + e, e)
}
